import type { Page } from 'playwright-core'

/*
 * Rules of WCAG 2.2 that a program can judge, looked at in the page as it is. The code below runs in the browser, so it is text.
 */

/** Texts whose contrast against their ground is below 4.5 to 1 (success criterion 1.4.3). */
export function contrastFaults(page: Page): Promise<string[]> {
  return page.evaluate(`(() => {
    const parts = colour => colour.match(/[\\d.]+/g).map(Number)
    const luminance = ([red, green, blue]) => {
      const [r, g, b] = [red, green, blue].map(each => each / 255).map(each => each <= 0.04045 ? each / 12.92 : ((each + 0.055) / 1.055) ** 2.4)
      return 0.2126 * r + 0.7152 * g + 0.0722 * b
    }
    const groundOf = node => {
      for (let each = node; each !== null; each = each.parentElement) {
        const colour = parts(getComputedStyle(each).backgroundColor)
        if (colour.length === 3 || colour[3] === 1) return colour
      }
      return [255, 255, 255]
    }
    const faults = []
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT)
    for (let text = walker.nextNode(); text !== null; text = walker.nextNode()) {
      const element = text.parentElement
      if (text.data.trim() === '' || element.closest('noscript, script') || element.getClientRects().length === 0 || element.closest(':disabled')) continue
      const [one, other] = [parts(getComputedStyle(element).color), groundOf(element)].map(luminance)
      const ratio = (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05)
      if (ratio < 4.5) faults.push(text.data.trim().slice(0, 40) + ': ' + ratio.toFixed(2))
    }
    return faults
  })()`)
}

/** Controls and pictures that a screen reader cannot name (success criteria 4.1.2 and 1.1.1), and those that no key reaches (2.1.1). */
export function namelessControls(page: Page): Promise<string[]> {
  return page.evaluate(`(() => {
    const named = node =>
      (node.getAttribute('aria-label') ?? '') !== '' || (node.labels?.length ?? 0) > 0 || node.textContent.trim() !== ''
    const controls = [...document.querySelectorAll('button, input, select, [role=meter], [role=img], [tabindex]')]
    const reachable = [...document.querySelectorAll('button, input, select')].filter(node => node.tabIndex < 0)
    const sections = [...document.querySelectorAll('section')].filter(node => document.getElementById(node.getAttribute('aria-labelledby')) === null)
    return [...controls.filter(node => !named(node)), ...reachable, ...sections].map(node => node.outerHTML.slice(0, 80))
  })()`)
}
