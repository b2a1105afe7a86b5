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
    }

    private let state = Mutex(State())
    /// Counts requests, and one more to stop.
    private let ready: Semaphore
    private let answered = Atomic<Bool>(false)
    private let limit: Int
    private let work: @Sendable (Request) -> Answer

    /// - Parameters:
    ///   - name: of the thread, at most 15 bytes.
    ///   - limit: requests that may wait.
    ///   - work: called on the thread, one request at a time.
    package init(name: String, limit: Int, work: @escaping @Sendable (Request) -> Answer) {
        self.limit = limit
        self.work = work
        ready = Semaphore()
        start(name, self)
    }

    /// The thread keeps this object for as long as it runs; without `stop` that is for ever.
    package func stop() {
        state.withLock { $0.stopped = true }
        ready.signal()
    }

    /// - Returns: false where as many wait as may.
    package func ask(_ request: Request) -> Bool {
        let taken = state.withLock { state in
            guard state.requests.count < limit, !state.stopped else { return false }
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

    fileprivate func run() {
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

private protocol Runs: Sendable {
    func run()
}

extension Worker: Runs {}

private final class Start: Sendable {
    let name: String
    let what: any Runs

    init(name: String, what: any Runs) {
        self.name = name
        self.what = what
    }
}

private func start(_ name: String, _ what: any Runs) {
    let context = Unmanaged.passRetained(Start(name: name, what: what)).toOpaque()
    var thread = pthread_t()
    let made = pthread_create(&thread, nil, { context in
        guard let context else { return nil }
        let start = Unmanaged<Start>.fromOpaque(context).takeRetainedValue()
        hv_name_thread(start.name)
        start.what.run()
        return nil
    }, context)
    precondition(made == 0, "no thread for what may block")
    pthread_detach(thread)
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
