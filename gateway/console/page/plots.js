/* global uPlot */

/** A strip chart of the last values of some series, drawn again when it grows or the theme changes. */
class StripChart {
  /**
   * @param {HTMLElement} place
   * @param {readonly string[]} names of the series
   * @param {string} unit
   * @param {number} points kept
   * @param {readonly [number, number] | null} range of the values, null to begin at 0 and fit them
   */
  constructor(place, names, unit, points, range) {
    Object.assign(this, { place, names, unit, points, range })
    this.data = [[], ...names.map(() => [])]
    new ResizeObserver(() => this.resize()).observe(place)
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => this.draw())
    this.draw()
  }

  /**
   * @param {number} time seconds since 1970 UTC
   * @param {readonly (number | null)[]} values
   */
  add(time, values) {
    for (const [index, value] of [time, ...values].entries()) {
      this.data[index].push(value)
      if (this.data[index].length > this.points) this.data[index].shift()
    }
    this.chart.setData(this.data)
  }

  draw() {
    this.chart?.destroy()
    const style = getComputedStyle(document.documentElement)
    const [text, line] = ['--soft', '--line'].map(name => style.getPropertyValue(name).trim())
    const axis = { stroke: text, grid: { stroke: line, width: 1 }, ticks: { stroke: line, width: 1 } }
    const shown = (_, value) => (value == null ? '–' : `${value.toFixed(1)} ${this.unit}`)
    this.chart = new uPlot(
      {
        ...this.size(),
        cursor: { drag: { x: false, y: false } },
        legend: { show: this.names.length > 1, live: false },
        scales: { y: { range: this.range === null ? (_, __, most) => [0, most * 1.3] : [...this.range] } },
        axes: [
          {
            ...axis,
            space: 70,
            values: (_, ticks) => ticks.map(tick => new Date(tick * 1000).toLocaleTimeString([], { hour12: false })),
          },
          { ...axis, size: 64, values: (_, ticks) => ticks.map(tick => `${Number(tick.toPrecision(3))} ${this.unit}`) },
        ],
        series: [
          {},
          ...this.names.map((label, index) => ({
            label,
            stroke: colourOf(index),
            width: 1.5,
            value: shown,
            points: { show: false },
          })),
        ],
      },
      this.data,
      this.place,
    )
  }

  size() {
    return { width: Math.max(200, this.place.clientWidth), height: 170 }
  }

  resize() {
    this.chart.setSize(this.size())
  }
}

/** Hues that stay apart for people who see red and green alike, on light and on dark ground. */
function colourOf(index) {
  const colours = ['#3b82d6', '#d9822b', '#2a9d8f', '#c2589f', '#8c7ae6', '#7f8c1f', '#d4574e', '#4aa3c9']
  return colours[index % colours.length]
}

window.StripChart = StripChart
