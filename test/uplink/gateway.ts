import { PolelessGateway, type PolelessGatewayOptions } from '../../scripts/delivery/gateway.js'

export { until } from '../../scripts/delivery/waiting.js'

export type TestGatewayOptions = PolelessGatewayOptions

/** A gateway that reconnects and asks again sooner than one on a pole. */
export class TestGateway extends PolelessGateway {
  constructor(options: TestGatewayOptions) {
    const session = { random: () => 0.05, ...options.session }
    super({ ...options, session, delivery: { firstRetry: 1, longestRetry: 2, ...options.delivery } })
  }
}
