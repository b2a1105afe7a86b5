internal import Glibc
internal import Synchronization

/// The host's packages that own what ran. The consumer asks and looks up; a thread of its own reads the databases: dpkg's, and rpm's through
/// rpm(8), whichever are there. Ask for executables of the host's mount namespace only: elsewhere the same path is another file.
///
/// A package owns a path; an answer holds for a file with an identity under a path. Package managers replace files, never change them, so that
/// what they install anew is asked for anew.
package final class Packages {
    package enum State {
        /// Never asked for, or it has made room for another.
        case unknown
        case pending
        /// Valid until the next `request` or `take`. The version is empty where it is not known.
        case owned(name: UnsafeRawBufferPointer, version: UnsafeRawBufferPointer)
        /// The databases are known, and no package owns the path.
        case unpackaged
        /// There is no database, or it was being changed: nothing can be said.
        case unanswered
    }

    struct Job: Sendable {
        var key: FileIdentity
        var path: [UInt8]
    }

    struct Answer: Sendable {
        var key: FileIdentity
        var ownership: Ownership
    }

    private struct Value: BitwiseCopyable {
        /// Name and version, back to back; nil: no owner.
        var text: UnsafeMutableRawPointer?
        var nameCount: UInt16
        var versionCount: UInt16
        var isKnown: Bool
    }

    private var table: IdentityTable<Value>
    private let worker: Worker<Job, Answer>?

    /// - Parameters:
    ///   - kept: answers that are remembered.
    ///   - waiting: requests that may wait.
    package convenience init(enabled: Bool = true, kept: Int = 4096, waiting: Int = 256) {
        self.init(enabled: enabled, kept: kept, waiting: waiting, databases: PackageDatabases())
    }

    init(enabled: Bool, kept: Int, waiting: Int, databases: PackageDatabases) {
        table = IdentityTable(capacity: kept)
        worker = enabled ? Worker(name: "hv-packages", limit: waiting) { Answer(key: $0.key, ownership: databases.owner(of: $0.path)) } : nil
    }

    deinit { table.forEach { free($0.text) } }

    package func stop() { worker?.stop() }

    /// - Parameter path: the host's, without links in it. Allocates nothing.
    @inline(__always)
    package func look(_ identity: FileIdentity, path: UnsafeRawBufferPointer) -> State {
        guard worker != nil else { return .unanswered }
        guard let entry = table.find(Self.key(identity, path)) else { return .unknown }
        return Self.state(entry)
    }

    @inline(__always)
    private static func state(_ entry: UnsafeMutablePointer<IdentityTable<Value>.Entry>) -> State {
        if entry.pointee.state == .pending { return .pending }
        let value = entry.pointee.value
        guard value.isKnown else { return .unanswered }
        guard let text = value.text else { return .unpackaged }
        return .owned(
            name: UnsafeRawBufferPointer(start: text, count: Int(value.nameCount)),
            version: UnsafeRawBufferPointer(start: text + Int(value.nameCount), count: Int(value.versionCount)))
    }

    /// For each event that names the executable: asks where the answer is not known. Allocates only then.
    package func request(_ identity: FileIdentity, path: UnsafeRawBufferPointer) -> State {
        guard let worker, path.count > 0, path[0] == 0x2f else { return .unanswered }
        let key = Self.key(identity, path)
        var entry = table.find(key)
        if let entry {
            guard entry.pointee.state == .done else { return .pending }
            if entry.pointee.value.isKnown { return Self.state(entry) }
        } else {
            entry = table.claim(key) { free($0.text) }
            entry?.pointee.value = Value(text: nil, nameCount: 0, versionCount: 0, isKnown: false)
        }
        guard let entry else { return .unanswered }
        let asked = worker.ask(Job(key: key, path: Array(path)))
        entry.pointee.state = asked ? .pending : .done
        return asked ? .pending : .unanswered
    }

    /// Takes in what the thread has found out. Cheap where there is nothing.
    /// - Returns: whether anything was.
    @discardableResult
    package func take() -> Bool {
        guard let worker, worker.hasAnswers else { return false }
        for answer in worker.takeAnswers() {
            guard let entry = table.find(answer.key), entry.pointee.state == .pending else { continue }
            entry.pointee.state = .done
            entry.pointee.value = Self.value(answer.ownership)
        }
        return true
    }

    private static func value(_ ownership: Ownership) -> Value {
        switch ownership {
        case .unknown: return Value(text: nil, nameCount: 0, versionCount: 0, isKnown: false)
        case .unpackaged: return Value(text: nil, nameCount: 0, versionCount: 0, isKnown: true)
        case .owned(let owner):
            let name = owner.name.prefix(Int(UInt16.max))
            let version = owner.version.prefix(Int(UInt16.max))
            guard let text = malloc(name.count + version.count + 1) else { return Value(text: nil, nameCount: 0, versionCount: 0, isKnown: false) }
            let bytes = UnsafeMutableRawBufferPointer(start: text, count: name.count + version.count)
            bytes.copyBytes(from: Array(name) + version)
            return Value(text: text, nameCount: UInt16(name.count), versionCount: UInt16(version.count), isKnown: true)
        }
    }

    /// The same file by another name may be another package's, or none's: the path's hash takes the place of what does not change with it.
    @inline(__always)
    private static func key(_ identity: FileIdentity, _ path: UnsafeRawBufferPointer) -> FileIdentity {
        var key = identity
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        for byte in path { hash = (hash ^ UInt64(byte)) &* 0x0000_0100_0000_01b3 }
        key.size = hash
        return key
    }
}

/// All databases of the host.
final class PackageDatabases: Sendable {
    private struct State {
        var dpkg: DpkgDatabase
        var rpm: RpmDatabase
    }

    private let state: Mutex<State>

    init(dpkg: DpkgDatabase = DpkgDatabase(), rpm: RpmDatabase = RpmDatabase()) { state = Mutex(State(dpkg: dpkg, rpm: rpm)) }

    func owner(of path: [UInt8]) -> Ownership {
        state.withLock { state in
            var answer = Ownership.unknown
            if state.dpkg.isThere {
                answer = state.dpkg.owner(of: path)
                if case .owned = answer { return answer }
            }
            guard state.rpm.isThere else { return answer }
            let other = state.rpm.owner(of: path)
            if case .owned = other { return other }
            // No package of either.
            return state.dpkg.isThere && answer == .unknown ? .unknown : other
        }
    }
}
