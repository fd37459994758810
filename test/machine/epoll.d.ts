/** The part that is used of what onoff waits for edges with. */
declare module 'epoll' {
  class Epoll {
    static readonly EPOLLIN: number
    constructor(heard: (error: Error | null, file: number, events: number) => void)
    add(file: number, events: number): this
    remove(file: number): this
    close(): this
  }
  const epoll: { readonly Epoll: typeof Epoll }
  export default epoll
}
