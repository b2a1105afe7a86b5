package import Events
internal import Glibc

/// Where login sessions come from, by the kernel's audit session id. The kernel counts it up with each login and gives none out twice, so that what
/// was found stays right after the session's end; it is kept until others need the room.
package struct LoginSessions: ~Copyable {
    /// Nanoseconds.
    package struct Timing: Sendable {
        /// For how long a session's first events may wait.
        package var wait: UInt64 = 50_000_000
        /// After which a session of which nothing was found is looked for again; doubled each time, up to 1024 times this. The first events of a
        /// login are before its file: pam_loginuid runs before logind is told, which takes some 100 ms.
        package var negative: UInt64 = 50_000_000
        /// Without an answer.
        package var retry: UInt64 = 5_000_000_000

        package init() {}
    }

    private struct Entry: BitwiseCopyable {
        var first: UInt64
        var askAt: UInt64
        var tries: UInt8
        var answered: Bool
        var remote: UInt8
        var terminal: UInt8
    }

    private struct Request: Sendable {
        let session: UInt32
        let terminal: UInt32
        let user: [UInt8]
    }

    private struct Answer: Sendable {
        let session: UInt32
        let facts: SessionFacts?
    }

    private let timing: Timing
    private var workers: Workers<Request, Answer>
    private var index: SlotIndex
    private let entries: UnsafeMutablePointer<Entry>
    /// For each entry the remote end, then the terminal.
    private let texts: UnsafeMutablePointer<UInt8>
    private static let stride = SessionFacts.longestRemote + SessionFacts.longestTerminal + 2

    /// Another one whenever an answer changed something.
    package private(set) var generation: UInt64 = 1
    package var evictions: UInt64 { index.evictions }
    package var refused: UInt64 { workers.refused }

    /// - Parameters:
    ///   - capacity: sessions.
    ///   - folder: logind's.
    ///   - utmp: looked at where logind has no file of a session.
    package init(
        capacity: Int = 1024, timing: Timing = Timing(), folder: String = "/run/systemd/sessions", utmp: String = "/run/utmp"
    ) {
        self.timing = timing
        index = SlotIndex(capacity: capacity)
        entries = zeroed(index.capacity, of: Entry.self)
        texts = zeroed(index.capacity * Self.stride, of: UInt8.self)
        workers = Workers(name: "sessions", limit: 64, most: 2, patience: timing.retry) { request in
            Answer(
                session: request.session,
                facts: SessionFile.read(folder: folder, session: request.session)
                    ?? LoginRecords.read(utmp, terminal: LoginRecords.terminal(request.terminal), user: request.user))
        }
    }

    deinit {
        free(entries)
        free(texts)
    }

    /// Fills in where a session comes from.
    ///
    /// - Parameters:
    ///   - session: the kernel's; `.max`: none.
    ///   - terminal: device of the actor's, for utmp, where it is one of the host's own; else 0. Another devpts has the same numbers.
    ///   - user: name of the login user, for utmp.
    /// - Returns: `unknown` where nothing was found of it. Bytes are valid until the next `collect`.
    @inline(__always)
    package mutating func fill(
        _ facts: inout ActorFacts, session: UInt32, terminal: UInt32, user: UnsafeRawBufferPointer, now: UInt64
    ) -> NameState {
        guard session != .max else { return .known }
        return find(&facts, session, terminal, user, now)
    }

    @inline(__always)
    private static func key(_ session: UInt32) -> UInt64 { 1 << 32 | UInt64(session) }

    @inline(never)
    private mutating func find(
        _ facts: inout ActorFacts, _ session: UInt32, _ terminal: UInt32, _ user: UnsafeRawBufferPointer, _ now: UInt64
    ) -> NameState {
        let key = Self.key(session)
        let slot: Int
        if let found = index.find(key) {
            slot = found
        } else {
            slot = index.claim(key)
            entries[slot] = Entry(first: 0, askAt: 0, tries: 0, answered: false, remote: 0, terminal: 0)
        }
        if now >= entries[slot].askAt { request(session, terminal, user, slot, now) }
        let entry = entries[slot]
        if entry.remote > 0 || entry.terminal > 0 {
            let start = UnsafeRawPointer(texts + slot &* Self.stride)
            facts.sessionRemote = UnsafeRawBufferPointer(start: start, count: Int(entry.remote))
            facts.sessionTerminal = UnsafeRawBufferPointer(start: start + SessionFacts.longestRemote, count: Int(entry.terminal))
            return .known
        }
        return !entry.answered && entry.first != 0 && age(now, entry.first) < timing.wait ? .pending : .unknown
    }

    private mutating func request(_ session: UInt32, _ terminal: UInt32, _ user: UnsafeRawBufferPointer, _ slot: Int, _ now: UInt64) {
        guard workers.ask(Request(session: session, terminal: terminal, user: Array(user)), now: now) else {
            entries[slot].askAt = now &+ 100_000_000
            return
        }
        if entries[slot].first == 0 { entries[slot].first = max(now, 1) }
        entries[slot].askAt = now &+ timing.retry
    }

    /// Takes in what was answered. Bytes that were given out before are not valid any more.
    /// - Returns: whether anything was.
    @discardableResult
    package mutating func collect(now: UInt64) -> Bool {
        guard workers.hasAnswers else { return false }
        for answer in workers.takeAnswers(now: now) {
            guard let slot = index.peek(Self.key(answer.session)) else { continue }
            entries[slot].answered = true
            guard let facts = answer.facts, !facts.remote.isEmpty || !facts.terminal.isEmpty else {
                entries[slot].askAt = now &+ timing.negative &<< UInt64(entries[slot].tries)
                entries[slot].tries = min(entries[slot].tries + 1, 10)
                continue
            }
            let place = UnsafeMutableRawBufferPointer(start: texts + slot * Self.stride, count: Self.stride)
            place.copyBytes(from: facts.remote)
            UnsafeMutableRawBufferPointer(rebasing: place[SessionFacts.longestRemote...]).copyBytes(from: facts.terminal)
            entries[slot].remote = UInt8(facts.remote.count)
            entries[slot].terminal = UInt8(facts.terminal.count)
            // A session's origin does not change.
            entries[slot].askAt = .max
            generation &+= 1
        }
        return true
    }
}
