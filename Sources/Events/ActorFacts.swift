/// What is known of a record's actor beside the record: names of its users, its image, its parents and its tenant.
///
/// Bytes are borrowed from the tables that know them, valid for the call that passes them. Empty: not known.
public struct ActorFacts {
    public typealias Bytes = UnsafeRawBufferPointer

    /// Another one whenever anything here differs for the same process; 0: nothing is known.
    public var version: UInt64 = 0
    /// Something was asked for, and may be known soon: the event may wait for it (`attribution.wait`).
    public var isPending = false

    // MARK: names

    /// Of the real, effective and saved user, and of the groups. In a user namespace of their own they are its /etc/passwd's
    /// (`namesAreClaimed`).
    public var userName = ActorFacts.none
    public var effectiveUserName = ActorFacts.none
    public var savedUserName = ActorFacts.none
    public var groupName = ActorFacts.none
    public var effectiveGroupName = ActorFacts.none
    /// Of the login (audit) user: always the host's.
    public var loginUserName = ActorFacts.none
    /// The names come from files of the tenant's, who may write there what they like.
    public var namesAreClaimed = false
    /// Ids as the actor's own user namespace has them; nil in the host's, or where it has no such id.
    public var innerUser: UInt32?
    public var innerGroup: UInt32?
    /// Where the login session comes from: an address or host name, and its terminal.
    public var sessionRemote = ActorFacts.none
    public var sessionTerminal = ActorFacts.none

    // MARK: image

    /// Path of the executable as the exec's actor had it.
    public var executable = ActorFacts.none
    /// Arguments, each ended by a NUL; cut at a limit.
    public var arguments = ActorFacts.none
    /// SHA-256 of the executable, 32 bytes.
    public var hash = ActorFacts.none
    /// Why there is none: an identifier.
    public var hashFailure = ActorFacts.none
    public var packageName = ActorFacts.none
    public var packageVersion = ActorFacts.none
    /// The host's package database is known, and no package owns the executable.
    public var unpackaged = false

    // MARK: lineage and tenant

    /// Of the parent that the record names, which is another than the first ancestor where that one ended first.
    public var parentExecutable = ActorFacts.none
    public var parentArguments = ActorFacts.none
    /// Who started it first, then who started that, and so on.
    public var ancestors = UnsafeBufferPointer<Ancestor>(start: nil, count: 0)
    /// The chain goes on behind the last of `ancestors`, which is as deep as the configuration lets it.
    public var ancestorsTruncated = false
    /// The arguments were read in /proc: the process may have written there what it liked.
    public var argumentsAreFromProc = false
    /// Nil: the host, where `isTenantKnown`.
    public var tenant: Unmanaged<Tenant>?
    public var isTenantKnown = false
    /// Its namespaces differ from the host's.
    public var foreignNamespaces: NamespaceSet = []

    /// Of `byteCount`, where it was settled.
    private var measured = 0

    /// Settles `byteCount`, behind the last change.
    public mutating func measure() {
        measured = 0
        measured = byteCount
    }

    /// Bytes of all that is here, for room to encode it.
    public var byteCount: Int { measured > 0 ? measured : sum }

    /// The same of facts that lie elsewhere, for each event: asked as above, the compiler copies them all first.
    @inline(__always)
    static func byteCount(of facts: UnsafePointer<ActorFacts>) -> Int {
        let known = facts.pointee.measured
        return known > 0 ? known : sum(of: facts)
    }

    @inline(never)
    private static func sum(of facts: UnsafePointer<ActorFacts>) -> Int { facts.pointee.sum }

    private var sum: Int {
        var sum = executable.count + arguments.count + parentExecutable.count + parentArguments.count
        sum += userName.count + effectiveUserName.count + savedUserName.count + groupName.count + effectiveGroupName.count + loginUserName.count
        sum += sessionRemote.count + sessionTerminal.count + packageName.count + packageVersion.count + hashFailure.count + hash.count
        for ancestor in ancestors { sum += ancestor.name.count + ancestor.executable.count }
        if let tenant { sum += tenant._withUnsafeGuaranteedRef { $0.byteCount } }
        return sum
    }

    public init() {}

    public static var none: Bytes { @inline(__always) get { Bytes(start: nil, count: 0) } }

    public struct Ancestor {
        /// start_boottime of its leader, nanoseconds.
        public var start: UInt64
        public var pid: UInt32
        public var name: Bytes
        public var executable: Bytes

        /// /proc told of it, and no record.
        public var isFromProc: Bool

        public init(start: UInt64, pid: UInt32, name: Bytes, executable: Bytes, isFromProc: Bool = false) {
            self.isFromProc = isFromProc
            self.start = start
            self.pid = pid
            self.name = name
            self.executable = executable
        }
    }
}

/// Which namespaces.
public struct NamespaceSet: OptionSet, Sendable {
    public let rawValue: UInt32
    public init(rawValue: UInt32) { self.rawValue = rawValue }

    public static let mount = NamespaceSet(rawValue: 1)
    public static let pid = NamespaceSet(rawValue: 2)
    public static let user = NamespaceSet(rawValue: 4)
    public static let network = NamespaceSet(rawValue: 8)
    public static let ipc = NamespaceSet(rawValue: 16)
    public static let uts = NamespaceSet(rawValue: 32)
    public static let cgroup = NamespaceSet(rawValue: 64)
    public static let time = NamespaceSet(rawValue: 128)

    /// Of `CLONE_NEW*` (include/uapi/linux/sched.h).
    public init(cloneFlags: UInt64) {
        let flags: [(UInt64, NamespaceSet)] = [
            (0x0002_0000, .mount), (0x2000_0000, .pid), (0x1000_0000, .user), (0x4000_0000, .network), (0x0800_0000, .ipc), (0x0400_0000, .uts),
            (0x0200_0000, .cgroup), (0x80, .time),
        ]
        self = flags.reduce(into: []) { if cloneFlags & $1.0 != 0 { $0.insert($1.1) } }
    }
}

/// A virtual machine or container (`hypervigil.tenant`, and ECS `container`). What becomes known of it later makes another one.
public final class Tenant: Sendable {
    public enum Kind: String, Sendable { case vm, container }
    public enum Role: String, Sendable { case guest, manager }

    public let kind: Kind
    /// `libvirt`, `docker`, ...: the words of EVENTS.md and of data/cgroup-samples.tsv.
    public let engine: String
    public let role: Role
    /// What the engine calls it for ever; for rootless engines with the owner: `1000/ID`.
    public let id: String
    /// What people call it; empty: not known.
    public let name: String
    /// Of a container; empty: not known.
    public let image: String
    /// Of a container: the low-level runtime or engine; empty: not known.
    public let runtime: String
    /// Name and image come from its owner, who is not root and may tell what he likes.
    public let isClaimed: Bool

    public init(
        kind: Kind, engine: String, role: Role, id: String, name: String = "", image: String = "", runtime: String = "", isClaimed: Bool = false
    ) {
        self.kind = kind
        self.engine = engine
        self.role = role
        self.id = id
        self.name = name
        self.image = image
        self.runtime = runtime
        self.isClaimed = isClaimed
        byteCount = [engine, id, name, image, runtime].reduce(0) { $0 + $1.utf8.count }
    }

    let byteCount: Int
}
