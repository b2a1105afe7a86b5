internal import Hashing
internal import KernelABI

/// SHA-256 of files that ran or were loaded. The consumer asks and looks up; a thread of its own reads.
///
/// One hash an identity. Files whose numbers may lag behind their content (overlay) are looked at again, not read again, each time they are
/// asked for. A failure that has to do with the moment is forgotten by the next request.
package final class FileHashes {
    package enum State: Equatable {
        /// Never asked for, or it has made room for another.
        case unknown
        case pending
        /// 32 bytes, valid until the next `request` or `take`.
        case known(UnsafeRawBufferPointer)
        case failed(HashFailure)

        package static func == (first: State, second: State) -> Bool {
            switch (first, second) {
            case (.unknown, .unknown), (.pending, .pending): true
            case (.known(let first), .known(let second)): first.elementsEqual(second)
            case (.failed(let first), .failed(let second)): first == second
            default: false
            }
        }
    }

    package struct Counts: Sendable, Equatable {
        /// Files read.
        package var hashed: UInt64 = 0
        /// By `HashFailure.rawValue`.
        package var failed = [UInt64](repeating: 0, count: HashFailure.allCases.count + 1)
        package var evicted: UInt64 = 0
    }

    private struct Value: BitwiseCopyable {
        var digest: SHA256Digest
        /// 0: the digest is there.
        var failure: UInt8
        var follows: Bool
    }

    private let limits: HashLimits
    private var table: IdentityTable<Value>
    private let worker: Worker<HashJob, HashAnswer>?
    package private(set) var counts = Counts()

    package convenience init(_ limits: HashLimits) { self.init(limits, reader: HashReader(limits)) }

    init(_ limits: HashLimits, reader: HashReader) {
        self.limits = limits
        table = IdentityTable(capacity: limits.kept)
        worker = limits.enabled ? Worker(name: "hv-hash", limit: limits.waiting) { reader.answer($0) } : nil
    }

    package func stop() { worker?.stop() }

    /// Allocates nothing.
    @inline(__always)
    package func look(_ identity: FileIdentity) -> State {
        guard limits.enabled else { return .failed(.off) }
        guard let entry = table.find(identity) else { return .unknown }
        return state(entry)
    }

    @inline(__always)
    private func state(_ entry: UnsafeMutablePointer<IdentityTable<Value>.Entry>) -> State {
        if entry.pointee.state == .pending { return .pending }
        if let failure = HashFailure(rawValue: entry.pointee.value.failure) { return .failed(failure) }
        let digest = UnsafeRawPointer(entry) + MemoryLayout<IdentityTable<Value>.Entry>.offset(of: \.value.digest).unsafelyUnwrapped
        return .known(UnsafeRawBufferPointer(start: digest, count: SHA256Digest.size))
    }

    /// For each event that names the file: asks where the answer is not known. Allocates only then.
    package func request(_ identity: FileIdentity, _ source: borrowing FileSource) -> State {
        guard let worker else { return .failed(.off) }
        guard identity.inode != 0 else { return .failed(.gone) }
        var before: SHA256Digest?
        var entry = table.find(identity)
        if let entry {
            guard entry.pointee.state == .done else { return .pending }
            let value = entry.pointee.value
            if let failure = HashFailure(rawValue: value.failure) {
                guard failure.passes else { return .failed(failure) }
            } else {
                guard value.follows else { return state(entry) }
                before = value.digest
            }
        } else if identity.size > UInt64(limits.largest) {
            // Before anything is opened.
            return fail(.tooLarge)
        }
        if entry == nil { entry = table.claim(identity) }
        guard let entry else { return fail(.busy) }
        let job = HashJob(
            identity: identity, what: source.what, pid: source.pid, start: source.start, parent: source.parent, time: source.time,
            hostPath: Array(source.hostPath), actorPath: Array(source.actorPath), before: before)
        guard worker.ask(job) else {
            entry.pointee.value = Value(digest: SHA256Digest(), failure: HashFailure.busy.rawValue, follows: false)
            entry.pointee.state = .done
            return fail(.busy)
        }
        entry.pointee.state = .pending
        return .pending
    }

    private func fail(_ failure: HashFailure) -> State {
        counts.failed[Int(failure.rawValue)] += 1
        return .failed(failure)
    }

    /// Takes in what the thread has found out. Cheap where there is nothing.
    /// - Returns: whether anything was.
    @discardableResult
    package func take() -> Bool {
        guard let worker, worker.hasAnswers else { return false }
        for answer in worker.takeAnswers() {
            guard let entry = table.find(answer.identity), entry.pointee.state == .pending else { continue }
            entry.pointee.state = .done
            switch answer.outcome {
            case .success(let digest):
                entry.pointee.value = Value(digest: digest, failure: 0, follows: answer.follows)
                if !answer.confirmed { counts.hashed += 1 }
            case .failure(let failure):
                entry.pointee.value = Value(digest: SHA256Digest(), failure: failure.rawValue, follows: false)
                counts.failed[Int(failure.rawValue)] += 1
            }
        }
        counts.evicted = table.evicted
        return true
    }
}
