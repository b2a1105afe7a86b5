package import Events
internal import Glibc
internal import KernelABI
package import Rings

/// What is known of an actor beside its record, put together from the tables. For the consumer's thread; nothing here waits.
package struct Attributor: ~Copyable {
    package var processes: ProcessTable
    /// Of the last call of `facts`.
    private let facts: UnsafeMutablePointer<ActorFacts>
    private let ancestors: UnsafeMutablePointer<ActorFacts.Ancestor>
    private let host: ProcessEntry.Namespaces

    package init(_ limits: ProcessTable.Limits, host: HostNamespaces = HostNamespaces()) {
        self.host = .init(mount: host.mount, pid: host.pid, user: host.user)
        processes = ProcessTable(limits)
        facts = .allocate(capacity: 1)
        facts.initialize(to: ActorFacts())
        ancestors = .allocate(capacity: limits.ancestors + 1)
    }

    deinit {
        facts.deallocate()
        ancestors.deallocate()
    }

    /// Takes over the processes that are there.
    ///
    /// - Parameters:
    ///   - records: of `HV_KIND_PROCESS`, one behind the other; what is no whole record ends it.
    ///   - arguments: of a process, or nil where it is not the same any more.
    ///   - parent: what /proc has of a process that is somebody's parent and in no record; nil where it is another by now.
    package mutating func fill(
        _ records: RawSpan, arguments: (borrowing ProcessView) -> [UInt8]?, parent: (_ pid: UInt32, _ start: UInt64) -> ProcProcess?
    ) {
        var at = 0
        while records.byteCount - at >= MemoryLayout<hv_header>.size {
            let size = Int(records.unsafeLoadUnaligned(fromByteOffset: at, as: UInt32.self))
            guard size >= MemoryLayout<hv_header>.size, size <= records.byteCount - at else { return }
            let record = records.extracting(at..<(at + size))
            at += size
            guard let view = ProcessView(record) else { continue }
            let words = arguments(view) ?? []
            words.withUnsafeBytes { processes.note(view, arguments: $0) }
        }
        for (pid, start) in processes.missingParents() {
            if let found = parent(pid, start) { processes.note(found, pid: pid, start: start) }
        }
    }

    /// What a record tells of processes, before it becomes an event.
    @inline(__always)
    package mutating func observe(_ record: RawSpan, kind: UInt32) {
        switch kind {
        case HV_KIND_EXEC.rawValue: if let view = ExecView(record) { processes.note(view) }
        case HV_KIND_FORK.rawValue: if let view = ForkView(record) { processes.note(view) }
        case HV_KIND_EXIT.rawValue: if let view = ExitView(record) { processes.note(view) }
        default: break
        }
    }

    /// What is known of an actor at the time of its act, valid until the next call.
    @inline(__always)
    package mutating func facts(of actor: borrowing ActorView, at time: UInt64) -> UnsafePointer<ActorFacts> {
        guard let known = processes.note(actor, at: time) else {
            facts.pointee = ActorFacts()
            return UnsafePointer(facts)
        }
        let parent = processes.find(pid: actor.parentPid, start: actor.parentStart)
        let version = version(known.entry, parent, at: time)
        if facts.pointee.version != version { fill(known.entry, parent, at: time, version) }
        return UnsafePointer(facts)
    }

    /// Another one whenever anything is that the facts are made of.
    @inline(__always)
    private mutating func version(_ entry: ProcessEntry.Reference, _ parent: ProcessEntry.Reference?, at time: UInt64) -> UInt64 {
        var version = Self.mix(entry.pointee.version, processes.image(of: entry, at: time)?.pointee.version ?? 0)
        if let parent { version = Self.mix(version, processes.image(of: parent, at: time)?.pointee.version ?? 0) }
        var up = processes.parent(of: entry), depth = 0
        while let one = up, depth < processes.limits.ancestors {
            version = Self.mix(version ^ one.pointee.version, processes.image(of: one, at: time)?.pointee.version ?? 0)
            up = processes.parent(of: one)
            depth &+= 1
        }
        return version | 1
    }

    @inline(__always)
    private static func mix(_ sum: UInt64, _ value: UInt64) -> UInt64 {
        ((sum ^ value) &* 0x9e37_79b9_7f4a_7c15) ^ (sum &>> 29)
    }

    @inline(never)
    private mutating func fill(_ entry: ProcessEntry.Reference, _ parent: ProcessEntry.Reference?, at time: UInt64, _ version: UInt64) {
        facts.pointee = ActorFacts()
        facts.pointee.version = version
        if let image = processes.image(of: entry, at: time) {
            facts.pointee.executable = image.path
            facts.pointee.arguments = image.arguments
            facts.pointee.argumentsAreFromProc = image.pointee.flags.contains(.fromProc)
        }
        if let parent, let image = processes.image(of: parent, at: time) {
            facts.pointee.parentExecutable = image.path
            facts.pointee.parentArguments = image.arguments
        }
        var up = entry.pointee.parent, depth = 0
        var cut = entry.pointee.flags.contains(.chainCut)
        while let one = up, depth < processes.limits.ancestors {
            (ancestors + depth).initialize(
                to: ActorFacts.Ancestor(
                    start: one.pointee.start, pid: one.pointee.pid, name: Self.name(of: one),
                    executable: processes.image(of: one, at: time)?.path ?? ActorFacts.none, isFromProc: one.pointee.flags.contains(.fromProc)))
            cut = one.pointee.flags.contains(.chainCut)
            up = one.pointee.parent
            depth += 1
        }
        facts.pointee.ancestors = UnsafeBufferPointer(start: ancestors, count: depth)
        facts.pointee.ancestorsTruncated = up != nil || cut
        facts.pointee.foreignNamespaces = foreign(entry.pointee.namespaces)
    }

    private static func name(of entry: ProcessEntry.Reference) -> UnsafeRawBufferPointer {
        let start = UnsafeRawPointer(entry) + MemoryLayout<ProcessEntry>.offset(of: \.name).unsafelyUnwrapped
        var length = 0
        while length < 16, start.load(fromByteOffset: length, as: UInt8.self) != 0 { length += 1 }
        return UnsafeRawBufferPointer(start: start, count: length)
    }

    private func foreign(_ own: ProcessEntry.Namespaces) -> NamespaceSet {
        var set: NamespaceSet = []
        if host.mount != 0, own.mount != 0, own.mount != host.mount { set.insert(.mount) }
        if host.pid != 0, own.pid != 0, own.pid != host.pid { set.insert(.pid) }
        if host.user != 0, own.user != 0, own.user != host.user { set.insert(.user) }
        return set
    }

    package mutating func expire(now: UInt64) { processes.expire(now: now) }
}

/// Inode numbers of the host's namespaces; 0: not known.
package struct HostNamespaces: Sendable {
    package var mount: UInt32
    package var pid: UInt32
    package var user: UInt32

    package init(mount: UInt32 = 0, pid: UInt32 = 0, user: UInt32 = 0) {
        self.mount = mount
        self.pid = pid
        self.user = user
    }
}

/// What /proc has of a process. Its number and its start are from a record.
package struct ProcProcess {
    package var name: [UInt8]
    package var executable: [UInt8]
    package var arguments: [UInt8]
    package var parentPid: UInt32

    package init(name: [UInt8], executable: [UInt8], arguments: [UInt8], parentPid: UInt32) {
        self.name = name
        self.executable = executable
        self.arguments = arguments
        self.parentPid = parentPid
    }
}
