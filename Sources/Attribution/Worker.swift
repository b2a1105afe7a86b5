internal import Glibc
internal import KernelABI
internal import Synchronization

/// A thread of its own for what may block: it is asked by the consumer, which looks for answers when it likes. One that hangs costs the answers,
/// and nothing else.
package final class Worker<Request: Sendable, Answer: Sendable>: Sendable {
    private struct State {
        var requests: [Request] = []
        var answers: [Answer] = []
        var stopped = false
        var isRunning = false
    }

    /// Starts a thread of that name; false where there is none to be had.
    package typealias Starter = @Sendable (_ name: String, _ body: @escaping @Sendable () -> Void) -> Bool

    private let state = Mutex(State())
    /// Counts requests, and one more to stop.
    private let ready: Semaphore
    private let answered = Atomic<Bool>(false)
    private let name: String
    private let limit: Int
    private let starter: Starter
    private let work: @Sendable (Request) -> Answer

    /// - Parameters:
    ///   - name: of the thread, at most 15 bytes.
    ///   - limit: requests that may wait.
    ///   - work: called on the thread, one request at a time.
    package init(name: String, limit: Int, starter: @escaping Starter = startThread, work: @escaping @Sendable (Request) -> Answer) {
        self.name = name
        self.limit = limit
        self.starter = starter
        self.work = work
        ready = Semaphore()
        state.withLock { start(&$0) }
    }

    /// Where a machine has no room for one more thread (a fork bomb), each request tries again.
    private func start(_ state: inout State) {
        if !state.isRunning { state.isRunning = starter(name) { self.run() } }
    }

    /// The thread keeps this object for as long as it runs; without `stop` that is for ever.
    package func stop() {
        state.withLock { $0.stopped = true }
        ready.signal()
    }

    /// - Returns: false where as many wait as may, and where there is no thread.
    package func ask(_ request: Request) -> Bool {
        let taken = state.withLock { state in
            guard state.requests.count < limit, !state.stopped else { return false }
            start(&state)
            guard state.isRunning else { return false }
            state.requests.append(request)
            return true
        }
        if taken { ready.signal() }
        return taken
    }

    /// Whether `takeAnswers` has something, without a lock.
    @inline(__always)
    package var hasAnswers: Bool { answered.load(ordering: .acquiring) }

    package func takeAnswers() -> [Answer] {
        guard hasAnswers else { return [] }
        return state.withLock { state in
            answered.store(false, ordering: .releasing)
            defer { state.answers = [] }
            return state.answers
        }
    }

    private func run() {
        while true {
            ready.wait()
            let (request, stopped) = state.withLock { state in
                (state.stopped || state.requests.isEmpty ? nil : state.requests.removeFirst(), state.stopped)
            }
            if stopped { break }
            guard let request else { continue }
            let answer = work(request)
            state.withLock { state in
                state.answers.append(answer)
                answered.store(true, ordering: .releasing)
            }
        }
    }
}

private final class Start: Sendable {
    let name: String
    let body: @Sendable () -> Void

    init(name: String, body: @escaping @Sendable () -> Void) {
        self.name = name
        self.body = body
    }
}

/// A detached thread of that name (pthread_create(3)).
@Sendable package func startThread(_ name: String, _ body: @escaping @Sendable () -> Void) -> Bool {
    let context = Unmanaged.passRetained(Start(name: name, body: body))
    var thread = pthread_t()
    let made = pthread_create(&thread, nil, { context in
        guard let context else { return nil }
        let start = Unmanaged<Start>.fromOpaque(context).takeRetainedValue()
        hv_name_thread(start.name)
        start.body()
        return nil
    }, context.toOpaque())
    guard made == 0 else {
        context.release()
        return false
    }
    pthread_detach(thread)
    return true
}

/// sem_t, at an address that stays. The invariant behind `@unchecked`: POSIX lets any thread call it at any time.
private final class Semaphore: @unchecked Sendable {
    private let value = UnsafeMutablePointer<sem_t>.allocate(capacity: 1)

    init() { sem_init(value, 0, 0) }

    deinit {
        sem_destroy(value)
        value.deallocate()
    }

    func signal() { sem_post(value) }

    func wait() { while sem_wait(value) != 0 {} }
}
