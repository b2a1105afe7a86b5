internal import KernelABI
package import Rings

/// Who is whose child, and what each runs, from records of forks, execs and exits in whatever order they come.
///
/// Processes that ended are kept for as long as a living one descends from them, within the depth that is asked for, and
/// all for `linger`, since records come late. The table has a fixed size; where it is full the longest ended go first, and are counted.
package struct ProcessTable: ~Copyable {
    package struct Limits: Sendable {
        package var processes: Int
        /// How far up the parents are told.
        package var ancestors: Int
        /// Bytes of a process's arguments that are kept.
        package var arguments: Int

        package init(processes: Int, ancestors: Int, arguments: Int) {
            self.processes = processes
            self.ancestors = ancestors
            self.arguments = arguments
        }
    }

    package let limits: Limits
    /// How long what ended is known at least, ns: longer than records are late.
    package static let linger: UInt64 = 2_000_000_000
    let buckets: UnsafeMutablePointer<ProcessEntry.Reference?>
    let mask: Int
    var images = ImageTable()
    private var versions: UInt64 = 0
    /// Goes up with each change of what is known of any process.
    var changes: UInt64 { versions }
    /// Those of the latest whose parent's record has not come yet: who, and whose child.
    private var orphans = [Orphan](repeating: Orphan(), count: 64)
    private var nextOrphan = 0

    // Of ProcessTable+Ends.swift.
    /// Ended ones without children, and with.
    var ended = ProcessList()
    var held = ProcessList()
    var heldAtSweep = 0
    var sweeps: UInt32 = 0
    var freedSinceTrim = 0
    var nextTrim: UInt64 = 0

    /// Known now, the ended among them.
    package internal(set) var count = 0
    /// Ended ones that were forgotten while others descended from them, or before `linger` was over.
    package internal(set) var evicted: UInt64 = 0
    /// Processes that found no room, since all were alive.
    package internal(set) var refused: UInt64 = 0

    private struct Orphan {
        var pid: UInt32 = 0
        var start: UInt64 = 0
        var parentPid: UInt32 = 0
        var parentStart: UInt64 = 0
    }

    package init(_ limits: Limits) {
        self.limits = limits
        var size = 1024
        while size < limits.processes { size *= 2 }
        mask = size - 1
        buckets = .allocate(capacity: size)
        buckets.initialize(repeating: nil, count: size)
    }

    deinit {
        for bucket in 0...mask {
            var at = buckets[bucket]
            while let entry = at {
                at = entry.pointee.next
                ImageTable.drop(entry.pointee.image)
                ImageTable.drop(entry.pointee.previousImage)
                entry.pointee.tenant?.release()
                entry.deallocate()
            }
        }
        buckets.deallocate()
    }

    // MARK: records

    /// A new process runs what its maker ran.
    package mutating func note(_ view: borrowing ForkView) {
        guard let entry = entry(view.actor, view.header.time), !entry.pointee.flags.contains(.seenToStart) else { return }
        entry.pointee.flags.insert(.seenToStart)
        let maker = find(pid: view.forkerPid, start: view.forkerStart)
        if entry.pointee.imageSince == 0, let maker { set(maker.pointee.tenant, of: entry) }
        if view.forkerPid == entry.pointee.parentPid && view.forkerStart == entry.pointee.parentStart {
            entry.pointee.forkedAt = view.header.time
            if let parent = parent(of: entry) {
                parent.pointee.lastForkAt = max(parent.pointee.lastForkAt, view.header.time)
                settle(entry, parent)
            }
        } else if let maker {
            // CLONE_PARENT: its parent is its maker's.
            inherit(entry, image(of: maker, at: view.header.time))
        }
    }

    /// - Parameter view: of an exec that is done.
    mutating func note(_ view: borrowing ExecView) -> ProcessEntry.Reference? {
        guard let entry = entry(view.actor, view.header.time) else { return nil }
        let time = view.header.time
        var flags: Image.Flags = view.header.has(HV_EXEC_ARGS_TRUNCATED) ? .argumentsCut : []
        if view.header.has(HV_EXEC_FILELESS) { flags.insert(.fileless) }
        let image = makeImage(view.executableObject, view.executableChanged, view.executable, view.arguments.withUnsafeBytes { $0 }, flags)
        run(image, entry, since: time)
        return entry
    }

    /// What an exec made of a process; its children have it too.
    mutating func set(_ tenant: ProcessTenant?, of entry: ProcessEntry.Reference) {
        set(tenant.map { Unmanaged.passUnretained($0) }, of: entry)
    }

    private mutating func set(_ tenant: Unmanaged<ProcessTenant>?, of entry: ProcessEntry.Reference) {
        guard tenant?.toOpaque() != entry.pointee.tenant?.toOpaque() else { return }
        _ = tenant?.retain()
        entry.pointee.tenant?.release()
        entry.pointee.tenant = tenant
        touch(entry)
    }

    /// A process that was there before the monitor; its arguments are not in the record.
    package mutating func note(_ view: borrowing ProcessView, arguments: UnsafeRawBufferPointer) {
        guard let entry = entry(view.actor, view.header.time), entry.pointee.image == nil else { return }
        var flags: Image.Flags = view.header.has(HV_EXEC_FILELESS) ? .fileless : []
        if arguments.count > 0 { flags.insert(.fromProc) }
        entry.pointee.image = makeImage(view.executable, view.executableChanged, view.executablePath, arguments, flags)
        touch(entry)
        settleChildren(of: entry)
    }

    package mutating func note(_ view: borrowing ExitView) {
        guard let entry = entry(view.actor, view.header.time), entry.pointee.ended == 0 else { return }
        entry.pointee.ended = max(1, view.header.time)
        list(entry)
    }

    // MARK: entries

    @inline(__always)
    func bucket(_ pid: UInt32, _ start: UInt64) -> Int {
        Int(truncatingIfNeeded: ((start ^ UInt64(pid) &<< 32) &* 0x9e37_79b9_7f4a_7c15) >> 32) & mask
    }

    @inline(__always)
    func find(pid: UInt32, start: UInt64) -> ProcessEntry.Reference? {
        var at = buckets[bucket(pid, start)]
        while let entry = at {
            if entry.pointee.start == start && entry.pointee.pid == pid { return entry }
            at = entry.pointee.next
        }
        return nil
    }

    /// The actor's entry, brought up to date with what the actor says of itself.
    @inline(__always)
    mutating func entry(_ actor: borrowing ActorView, _ time: UInt64) -> ProcessEntry.Reference? {
        let found = find(pid: actor.pid, start: actor.start) ?? add(actor, time)
        guard let entry = found else { return nil }
        // A thread's name, and now and then its cgroup and namespaces, are its own; the process has its leader's.
        if actor.tid == actor.pid {
            let name = actor.nameWords
            if entry.pointee.name.0 != name.0 || entry.pointee.name.1 != name.1 || entry.pointee.cgroup != actor.cgroupKey
                // An exiting task has none any more.
                || actor.mountNamespace != 0
                    && (entry.pointee.namespaces.mount != actor.mountNamespace || entry.pointee.namespaces.user != actor.userNamespace)
            {
                update(entry, actor)
            }
        }
        return entry
    }

    @inline(never)
    private mutating func update(_ entry: ProcessEntry.Reference, _ actor: borrowing ActorView) {
        entry.pointee.cgroup = actor.cgroupKey
        entry.pointee.name = actor.nameWords
        if actor.mountNamespace != 0 {
            entry.pointee.namespaces = .init(mount: actor.mountNamespace, pid: actor.pidNamespace, user: actor.userNamespace)
        }
        touch(entry)
    }

    @inline(never)
    private mutating func add(_ actor: borrowing ActorView, _ time: UInt64) -> ProcessEntry.Reference? {
        guard actor.start != 0, makeRoom(time) else {
            refused += actor.start != 0 ? 1 : 0
            return nil
        }
        let entry = insert(
            pid: actor.pid, start: actor.start, parentPid: actor.parentPid, parentStart: actor.parentStart, name: actor.nameWords,
            cgroup: actor.cgroupKey, .init(mount: actor.mountNamespace, pid: actor.pidNamespace, user: actor.userNamespace))
        // Whose parent exits later has another by then; whose it was first is its lineage.
        if parent(of: entry) == nil, actor.parentPid != 0 {
            orphans[nextOrphan] = Orphan(pid: actor.pid, start: actor.start, parentPid: actor.parentPid, parentStart: actor.parentStart)
            nextOrphan = (nextOrphan + 1) % orphans.count
        }
        return entry
    }

    /// Who started it; looked for again where its record came first.
    @inline(__always)
    mutating func parent(of entry: ProcessEntry.Reference) -> ProcessEntry.Reference? {
        entry.pointee.parent ?? (entry.pointee.parentPid == 0 || entry.pointee.flags.contains(.chainCut) ? nil : findParent(of: entry))
    }

    /// Its parent as the actor tells of it now: another than who started it where that one ended.
    @inline(__always)
    func parent(of entry: ProcessEntry.Reference, now actor: borrowing ActorView) -> ProcessEntry.Reference? {
        if let first = entry.pointee.parent, first.pointee.start == actor.parentStart, first.pointee.pid == actor.parentPid { return first }
        return find(pid: actor.parentPid, start: actor.parentStart)
    }

    private mutating func findParent(of entry: ProcessEntry.Reference) -> ProcessEntry.Reference? {
        guard let parent = find(pid: entry.pointee.parentPid, start: entry.pointee.parentStart), parent != entry else { return nil }
        link(entry, to: parent)
        return parent
    }

    /// Parents of processes in the table that are not.
    func missingParents() -> [(pid: UInt32, start: UInt64)] {
        var missing: [UInt64: UInt32] = [:]
        for bucket in 0...mask {
            var at = buckets[bucket]
            while let entry = at {
                at = entry.pointee.next
                let (pid, start) = (entry.pointee.parentPid, entry.pointee.parentStart)
                if pid != 0, start != 0, find(pid: pid, start: start) == nil { missing[start] = pid }
            }
        }
        return missing.map { ($0.value, $0.key) }
    }

    /// One that only /proc tells of; its own parent's start is not known from there.
    mutating func note(_ found: ProcProcess, pid: UInt32, start: UInt64) {
        guard find(pid: pid, start: start) == nil, makeRoom(0) else { return }
        var name = (UInt64(0), UInt64(0))
        withUnsafeMutableBytes(of: &name) { $0.copyBytes(from: found.name.prefix(15)) }
        let entry = insert(pid: pid, start: start, parentPid: 0, parentStart: 0, name: name, cgroup: 0, Namespaces())
        entry.pointee.flags = [.fromProc, .chainCut]
        if found.parentPid == 0 { entry.pointee.flags.remove(.chainCut) }
        let version = newVersion()
        entry.pointee.image = found.executable.withUnsafeBytes { path in
            found.arguments.withUnsafeBytes { arguments in
                let kept = UnsafeRawBufferPointer(rebasing: arguments.prefix(limits.arguments))
                return images.make(object: hv_object(), ctime: 0, path: path, arguments: kept, flags: .fromProc, version: version)
            }
        }
    }

    private mutating func insert(
        pid: UInt32, start: UInt64, parentPid: UInt32, parentStart: UInt64, name: (UInt64, UInt64), cgroup: UInt64, _ namespaces: Namespaces
    ) -> ProcessEntry.Reference {
        let entry = ProcessEntry.Reference.allocate(capacity: 1)
        let place = bucket(pid, start)
        entry.initialize(
            to: ProcessEntry(
                start: start, pid: pid, parentPid: parentPid, parentStart: parentStart, next: buckets[place], version: 0, cgroup: cgroup,
                namespaces: namespaces, name: name))
        buckets[place] = entry
        count += 1
        touch(entry)
        for orphan in orphans where orphan.parentPid == pid && orphan.parentStart == start {
            if let child = find(pid: orphan.pid, start: orphan.start) { _ = self.parent(of: child) }
        }
        return entry
    }

    private mutating func link(_ entry: ProcessEntry.Reference, to parent: ProcessEntry.Reference) {
        entry.pointee.parent = parent
        entry.pointee.sibling = parent.pointee.child
        parent.pointee.child?.pointee.elder = entry
        parent.pointee.child = entry
        parent.pointee.lastForkAt = max(parent.pointee.lastForkAt, entry.pointee.forkedAt)
        if entry.pointee.sibling == nil, parent.pointee.ended != 0 { relist(parent) }
    }

    /// Takes it out of its parent's children.
    func unlink(_ entry: ProcessEntry.Reference) {
        guard let parent = entry.pointee.parent else { return }
        if let elder = entry.pointee.elder { elder.pointee.sibling = entry.pointee.sibling } else { parent.pointee.child = entry.pointee.sibling }
        entry.pointee.sibling?.pointee.elder = entry.pointee.elder
        entry.pointee.parent = nil
        entry.pointee.sibling = nil
        entry.pointee.elder = nil
    }

    @inline(__always)
    mutating func touch(_ entry: ProcessEntry.Reference) {
        versions += 1
        entry.pointee.version = versions
    }

    /// The next version, of an image.
    mutating func newVersion() -> UInt64 {
        versions += 1
        return versions
    }
}

extension ActorView {
    /// The name's 16 bytes.
    @inline(__always)
    var nameWords: (UInt64, UInt64) {
        let place = MemoryLayout<hv_actor>.offset(of: \.comm).unsafelyUnwrapped
        return (
            bytes.unsafeLoadUnaligned(fromUncheckedByteOffset: place, as: UInt64.self),
            bytes.unsafeLoadUnaligned(fromUncheckedByteOffset: place &+ 8, as: UInt64.self)
        )
    }
}
