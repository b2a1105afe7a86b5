/// Threads for one kind of work that may hang. A thread that gives no answer for a while is left alone, and another takes over, up to a few;
/// what a hanging one was asked is answered if it ever comes back.
struct Workers<Request: Sendable, Answer: Sendable>: ~Copyable {
    private struct Seat {
        let worker: Worker<Request, Answer>
        /// Requests without an answer.
        var open = 0
        /// When it last was heard of: an answer, or the first request after an idle time.
        var heard: UInt64 = 0
    }

    private let name: String
    private let limit: Int
    private let most: Int
    private let patience: UInt64
    private let work: @Sendable (Request) -> Answer
    private var seats: [Seat] = []
    /// Who is asked.
    private var current = 0

    /// Requests that were turned away: as many waited as may, or all threads hang.
    private(set) var refused: UInt64 = 0

    /// - Parameters:
    ///   - name: of the threads, at most 15 bytes.
    ///   - limit: requests that may wait for one thread.
    ///   - most: threads.
    ///   - patience: nanoseconds without an answer after which a thread counts as hanging.
    init(name: String, limit: Int, most: Int, patience: UInt64, work: @escaping @Sendable (Request) -> Answer) {
        self.name = name
        self.limit = limit
        self.most = most
        self.patience = patience
        self.work = work
        seats.reserveCapacity(most)
    }

    deinit { for seat in seats { seat.worker.stop() } }

    /// - Returns: false where it was turned away.
    mutating func ask(_ request: Request, now: UInt64) -> Bool {
        guard sit(now), seats[current].worker.ask(request) else {
            refused += 1
            return false
        }
        if seats[current].open == 0 { seats[current].heard = now }
        seats[current].open += 1
        return true
    }

    /// Sees to it that the current thread is one that answers; false where there is none.
    private mutating func sit(_ now: UInt64) -> Bool {
        if current < seats.count, !hangs(seats[current], now) { return true }
        if let idle = seats.firstIndex(where: { $0.open == 0 }) {
            current = idle
            return true
        }
        guard seats.count < most else { return false }
        seats.append(Seat(worker: Worker(name: name, limit: limit, work: work)))
        current = seats.count - 1
        return true
    }

    private func hangs(_ seat: Seat, _ now: UInt64) -> Bool { seat.open > 0 && age(now, seat.heard) > patience }

    /// Threads that give no answer.
    func hanging(now: UInt64) -> Int { seats.count { hangs($0, now) } }

    /// Whether there is something to take, without a lock.
    @inline(__always)
    var hasAnswers: Bool {
        for index in seats.indices where seats[index].worker.hasAnswers { return true }
        return false
    }

    mutating func takeAnswers(now: UInt64) -> [Answer] {
        var answers: [Answer] = []
        for index in seats.indices where seats[index].worker.hasAnswers {
            let taken = seats[index].worker.takeAnswers()
            seats[index].open -= taken.count
            seats[index].heard = now
            answers += taken
        }
        return answers
    }
}

/// Nanoseconds since a time that may lie a little ahead: clocks are read in other places.
@inline(__always)
func age(_ now: UInt64, _ since: UInt64) -> UInt64 { now > since ? now &- since : 0 }
