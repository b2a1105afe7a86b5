internal import Glibc
internal import Hashing
internal import KernelABI
internal import Synchronization

/// How much is hashed, and of what.
package struct HashLimits: Sendable, Equatable {
    package var enabled = true
    /// Whether file systems that others answer for are read too.
    package var remote = false
    /// Bytes a second; what is not used of a second may be used in the next.
    package var rate = 64 << 20
    /// Bytes of the largest file.
    package var largest = 256 << 20
    /// Files whose hashes are kept.
    package var kept = 4096
    /// Files that may wait.
    package var waiting = 256

    package init() {}
}

struct HashJob: Sendable {
    var identity: FileIdentity
    var what: FileSource.What
    var pid: UInt32
    var start: UInt64
    var parent: UInt32
    var time: UInt64
    var hostPath: [UInt8]
    var actorPath: [UInt8]
    /// What was found for this identity before: right if the file is still what it was.
    var before: SHA256Digest?
}

struct HashAnswer: Sendable {
    var identity: FileIdentity
    var outcome: Result<SHA256Digest, HashFailure>
    /// To be looked at again when it is asked for again.
    var follows = false
    /// What was there before was still right: nothing was read.
    var confirmed = false
}

/// Reads and hashes, on the worker's thread: no faster than it may, behind others, and so that pages of others stay.
final class HashReader: Sendable {
    private struct State {
        var isSettled = false
        /// Bytes that may be read now; below 0 after one chunk too many.
        var tokens: Double
        var filled: UInt64
    }

    private let limits: HashLimits
    private let opener: FileOpener
    private let state: Mutex<State>
    /// For tests: called between the first look at the file and the reading.
    private let beforeReading: @Sendable () -> Void
    private static let chunk = 128 << 10

    init(_ limits: HashLimits, beforeReading: @escaping @Sendable () -> Void = {}) {
        self.limits = limits
        self.beforeReading = beforeReading
        opener = FileOpener(remote: limits.remote)
        state = Mutex(State(tokens: Double(limits.rate), filled: clock(CLOCK_MONOTONIC)))
    }

    func answer(_ job: HashJob) -> HashAnswer {
        settle()
        switch opener.open(job) {
        case .failure(let failure): return HashAnswer(identity: job.identity, outcome: .failure(failure))
        case .success(let opened):
            defer { close(opened.descriptor) }
            if opened.exact, let before = job.before {
                return HashAnswer(identity: job.identity, outcome: .success(before), follows: opened.follows, confirmed: true)
            }
            return HashAnswer(identity: job.identity, outcome: hash(opened, job.identity), follows: opened.follows)
        }
    }

    private func settle() {
        let first = state.withLock { state in
            defer { state.isSettled = true }
            return !state.isSettled
        }
        if first { hv_be_behind() }
    }

    private func hash(_ opened: FileOpener.Opened, _ identity: FileIdentity) -> Result<SHA256Digest, HashFailure> {
        let descriptor = opened.descriptor
        var before = stat()
        guard fstat(descriptor, &before) == 0 else { return .failure(.unreadable) }
        guard UInt64(bitPattern: Int64(before.st_size)) == identity.size else { return .failure(.changed) }
        guard identity.size <= UInt64(limits.largest) else { return .failure(.tooLarge) }
        // Changes from here on have another time stamp than the last one.
        let changed = nanoseconds(before.st_ctim)
        let now = clock(CLOCK_REALTIME)
        if now < changed &+ FileOpener.tick { usleep(UInt32(min(changed &+ FileOpener.tick &- now, FileOpener.tick) / 1000 + 1)) }
        beforeReading()
        hv_read_once(descriptor)
        var digest = SHA256()
        var rest = identity.size
        let failure: HashFailure? = withUnsafeTemporaryAllocation(byteCount: Self.chunk, alignment: 64) { chunk in
            while true {
                wait()
                let count = read(descriptor, chunk.baseAddress, chunk.count)
                if count < 0, errno == EINTR { continue }
                guard count >= 0 else { return .unreadable }
                if count == 0 { return rest == 0 ? nil : .changed }
                guard UInt64(count) <= rest else { return .changed }
                rest -= UInt64(count)
                spend(count)
                digest.update(UnsafeRawBufferPointer(rebasing: chunk[..<count]))
            }
        }
        if let failure { return .failure(failure) }
        let found = digest.finish()
        var after = stat()
        guard fstat(descriptor, &after) == 0, after.isSameContent(before, running: opened.running) else { return .failure(.changed) }
        return .success(found)
    }

    private func spend(_ bytes: Int) { state.withLock { $0.tokens -= Double(bytes) } }

    /// Until something may be read.
    private func wait() {
        while true {
            let missing = state.withLock { state in
                let now = clock(CLOCK_MONOTONIC)
                state.tokens = min(Double(limits.rate), state.tokens + Double(now &- state.filled) * Double(limits.rate) / 1e9)
                state.filled = now
                return state.tokens > 0 ? 0 : 1 - state.tokens
            }
            guard missing > 0 else { return }
            usleep(UInt32(min(missing / Double(limits.rate) * 1e6 + 100, 1e6)))
        }
    }
}

extension stat {
    /// An unlink in between changes ctime as well; of a file that runs, nothing but that.
    fileprivate func isSameContent(_ other: stat, running: Bool) -> Bool {
        st_size == other.st_size && nanoseconds(st_mtim) == nanoseconds(other.st_mtim)
            && (nanoseconds(st_ctim) == nanoseconds(other.st_ctim) || running && st_nlink < other.st_nlink)
    }
}
