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
    /// Ended ones with children may be so many more than at the last sweep before there is another.
    private static let sweepAt = 1024

    private let buckets: UnsafeMutablePointer<ProcessEntry.Reference?>
    private let mask: Int
    private var images = ImageTable()
    private var ended = ProcessList()
    private var held = ProcessList()
    private var heldAtSweep = 0
    private var sweeps: UInt32 = 0
    private var versions: UInt64 = 0
    private var freedSinceTrim = 0

    /// Known now, the ended among them.
    package private(set) var count = 0
    /// Ended ones that were forgotten while others descended from them, or before `linger` was over.
    package private(set) var evicted: UInt64 = 0
    /// Processes that found no room, since all were alive.
    package private(set) var refused: UInt64 = 0

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
        guard let entry = entry(view.actor, view.header.time) else { return }
        guard !entry.pointee.flags.contains(.seenToStart) else { return }
        entry.pointee.flags.insert(.seenToStart)
        if view.forkerPid == entry.pointee.parentPid && view.forkerStart == entry.pointee.parentStart {
            entry.pointee.forkedAt = view.header.time
            if let parent = parent(of: entry), parent.pointee.lastForkAt < view.header.time { parent.pointee.lastForkAt = view.header.time }
        }
        if entry.pointee.imageSince == 0, let maker = find(pid: view.forkerPid, start: view.forkerStart) {
            entry.pointee.image = images.retain(image(of: maker, at: view.header.time))
            set(maker.pointee.tenant, of: entry)
            touch(entry)
        } else if entry.pointee.previousImage == nil, let maker = find(pid: view.forkerPid, start: view.forkerStart) {
            // Its exec came first: before that it ran this.
            entry.pointee.previousImage = images.retain(image(of: maker, at: view.header.time))
        }
    }

    package mutating func note(_ view: borrowing ExecView) {
        guard view.error == 0, let entry = entry(view.actor, view.header.time) else { return }
        let time = view.header.time
        var flags: Image.Flags = view.header.has(HV_EXEC_ARGS_TRUNCATED) ? .argumentsCut : []
        if view.header.has(HV_EXEC_FILELESS) { flags.insert(.fileless) }
        let image = makeImage(view.executableObject, view.executableChanged, view.executable, view.arguments.withUnsafeBytes { $0 }, flags)
        run(image, entry, since: time)
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
    }

    package mutating func note(_ view: borrowing ExitView) {
        guard let entry = entry(view.actor, view.header.time), entry.pointee.ended == 0 else { return }
        entry.pointee.ended = max(1, view.header.time)
        list(entry)
    }

    /// What any other record tells of its actor.
    @inline(__always)
    package mutating func note(_ actor: borrowing ActorView, at time: UInt64) -> Known? {
        guard let entry = entry(actor, time) else { return nil }
        return Known(entry: entry)
    }

    /// A process of the table, valid until the table is changed.
    package struct Known {
        let entry: ProcessEntry.Reference
    }

    // MARK: entries

    @inline(__always)
    private func bucket(_ pid: UInt32, _ start: UInt64) -> Int {
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
    private mutating func entry(_ actor: borrowing ActorView, _ time: UInt64) -> ProcessEntry.Reference? {
        let found = find(pid: actor.pid, start: actor.start) ?? add(actor, time)
        guard let entry = found else { return nil }
        // A thread's name, and now and then its cgroup and namespaces, are its own; the process has its leader's.
        if actor.tid == actor.pid {
            let name = actor.nameWords
            if entry.pointee.name.0 != name.0 || entry.pointee.name.1 != name.1 || entry.pointee.cgroup != actor.cgroupKey
                || (actor.mountNamespace != 0 && entry.pointee.namespaces.mount != actor.mountNamespace)
                || entry.pointee.namespaces.user != actor.userNamespace
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
        // An exiting task has none any more.
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
        _ = parent(of: entry)
        return entry
    }

    /// Who started it; looked for again where its record came first.
    @inline(__always)
    mutating func parent(of entry: ProcessEntry.Reference) -> ProcessEntry.Reference? {
        entry.pointee.parent ?? (entry.pointee.parentPid == 0 || entry.pointee.flags.contains(.chainCut) ? nil : findParent(of: entry))
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
        let entry = insert(pid: pid, start: start, parentPid: 0, parentStart: 0, name: name, cgroup: 0, .init())
        entry.pointee.flags = [.fromProc, .chainCut]
        if found.parentPid == 0 { entry.pointee.flags.remove(.chainCut) }
        versions += 1
        entry.pointee.image = found.executable.withUnsafeBytes { path in
            found.arguments.withUnsafeBytes { arguments in
                let kept = UnsafeRawBufferPointer(rebasing: arguments.prefix(limits.arguments))
                return images.make(object: hv_object(), ctime: 0, path: path, arguments: kept, flags: .fromProc, version: versions)
            }
        }
    }

    private mutating func insert(
        pid: UInt32, start: UInt64, parentPid: UInt32, parentStart: UInt64, name: (UInt64, UInt64), cgroup: UInt64, _ namespaces: ProcessEntry.Namespaces
    ) -> ProcessEntry.Reference {
        let entry = ProcessEntry.Reference.allocate(capacity: 1)
        let place = bucket(pid, start)
        entry.initialize(
            to: ProcessEntry(
                start: start, pid: pid, parentPid: parentPid, parentStart: parentStart, parent: nil, next: buckets[place], before: nil, behind: nil,
                image: nil, imageSince: 0, previousImage: nil, previousSince: 0, forkedAt: 0, lastForkAt: 0, tenant: nil, version: 0, cgroup: cgroup, ended: 0, children: 0, mark: 0,
                namespaces: namespaces, flags: [], name: name))
        buckets[place] = entry
        count += 1
        touch(entry)
        return entry
    }

    private mutating func link(_ entry: ProcessEntry.Reference, to parent: ProcessEntry.Reference) {
        entry.pointee.parent = parent
        parent.pointee.children += 1
        if parent.pointee.children == 1, parent.pointee.ended != 0 { relist(parent) }
    }

    @inline(__always)
    private mutating func touch(_ entry: ProcessEntry.Reference) {
        versions += 1
        entry.pointee.version = versions
    }

    // MARK: images

    private mutating func makeImage(
        _ object: hv_object, _ ctime: UInt64, _ path: RawSpan, _ arguments: UnsafeRawBufferPointer, _ flags: Image.Flags
    ) -> UnsafeMutablePointer<Image> {
        var flags = flags
        let kept = UnsafeRawBufferPointer(rebasing: arguments.prefix(limits.arguments))
        if kept.count < arguments.count { flags.insert(.argumentsCut) }
        versions += 1
        let version = versions
        // The view's own memory, lent for this call.
        let path = path.withUnsafeBytes { $0 }
        return images.make(object: object, ctime: ctime, path: path, arguments: kept, flags: flags, version: version)
    }

    /// Takes over the reference.
    private mutating func run(_ image: UnsafeMutablePointer<Image>, _ entry: ProcessEntry.Reference, since time: UInt64) {
        guard time >= entry.pointee.imageSince else {
            // An earlier one that comes late.
            if time >= entry.pointee.previousSince {
                images.release(entry.pointee.previousImage)
                entry.pointee.previousImage = image
                entry.pointee.previousSince = time
            } else {
                images.release(image)
            }
            if time < entry.pointee.lastForkAt { settleChildren(of: entry) }
            return
        }
        images.release(entry.pointee.previousImage)
        entry.pointee.previousImage = entry.pointee.image
        entry.pointee.previousSince = entry.pointee.imageSince
        entry.pointee.image = image
        entry.pointee.imageSince = time
        touch(entry)
        if time < entry.pointee.lastForkAt { settleChildren(of: entry) }
    }

    /// An exec that comes behind a fork that it was before: rare, so all are looked through.
    private mutating func settleChildren(of parent: ProcessEntry.Reference) {
        for bucket in 0...mask {
            var at = buckets[bucket]
            while let entry = at {
                at = entry.pointee.next
                if self.parent(of: entry) == parent { settle(entry, parent) }
            }
        }
    }

    /// A process that has not executed anything runs what its parent ran when it forked it, of which a record may have come later than the fork's.
    @inline(__always)
    mutating func settle(_ entry: ProcessEntry.Reference, _ parent: ProcessEntry.Reference?) {
        guard entry.pointee.imageSince == 0, entry.pointee.forkedAt != 0, let parent,
            let inherited = image(of: parent, at: entry.pointee.forkedAt), inherited != entry.pointee.image
        else { return }
        _ = images.retain(inherited)
        images.release(entry.pointee.image)
        entry.pointee.image = inherited
        touch(entry)
    }

    /// What it ran at a time. Further back than the one before the last nothing is known.
    @inline(__always)
    func image(of entry: ProcessEntry.Reference, at time: UInt64) -> UnsafeMutablePointer<Image>? {
        if time >= entry.pointee.imageSince { return entry.pointee.image }
        return time >= entry.pointee.previousSince ? entry.pointee.previousImage : nil
    }

    // MARK: ends

    private mutating func list(_ entry: ProcessEntry.Reference) {
        if entry.pointee.children == 0 {
            entry.pointee.flags.insert(.listed)
            ended.append(entry)
        } else {
            entry.pointee.flags.insert(.held)
            held.append(entry)
        }
    }

    private mutating func unlist(_ entry: ProcessEntry.Reference) {
        if entry.pointee.flags.contains(.listed) { ended.remove(entry) }
        if entry.pointee.flags.contains(.held) { held.remove(entry) }
        entry.pointee.flags.subtract([.listed, .held])
    }

    private mutating func relist(_ entry: ProcessEntry.Reference) {
        unlist(entry)
        list(entry)
    }

    /// Forgets what is not needed any more. Call it now and then.
    package mutating func expire(now: UInt64) {
        while let entry = ended.first, entry.pointee.ended + Self.linger < now { remove(entry) }
        if held.count > 2 * heldAtSweep + Self.sweepAt { sweep() }
        // malloc keeps what lies between blocks that are in use.
        if freedSinceTrim > 16_384, ended.count < 1024 {
            freedSinceTrim = 0
            hv_trim_memory()
        }
    }

    private mutating func makeRoom(_ now: UInt64) -> Bool {
        guard count >= limits.processes else { return true }
        guard let entry = ended.first ?? held.first else { return false }
        if entry.pointee.children > 0 || entry.pointee.ended + Self.linger >= now { evicted += 1 }
        if entry.pointee.children > 0 { orphan(childrenOf: entry) }
        remove(entry)
        return true
    }

    /// Cuts the chains that lead through it.
    private mutating func orphan(childrenOf parent: ProcessEntry.Reference) {
        for bucket in 0...mask {
            var at = buckets[bucket]
            while let entry = at {
                if entry.pointee.parent == parent { cut(entry) }
                at = entry.pointee.next
            }
        }
    }

    private mutating func cut(_ entry: ProcessEntry.Reference) {
        guard let parent = entry.pointee.parent else { return }
        entry.pointee.parent = nil
        entry.pointee.flags.insert(.chainCut)
        parent.pointee.children -= 1
        touch(entry)
    }

    /// - Parameter entry: without children. Its parent may go with it, and that one's.
    private mutating func remove(_ entry: ProcessEntry.Reference) {
        var next: ProcessEntry.Reference? = entry
        while let entry = next {
            next = nil
            unlist(entry)
            let place = bucket(entry.pointee.pid, entry.pointee.start)
            if buckets[place] == entry {
                buckets[place] = entry.pointee.next
            } else {
                var at = buckets[place]
                while let one = at, one.pointee.next != entry { at = one.pointee.next }
                at?.pointee.next = entry.pointee.next
            }
            if let parent = entry.pointee.parent {
                parent.pointee.children -= 1
                if parent.pointee.children == 0, parent.pointee.ended != 0 {
                    // It ended before what descended from it: its own time is over, or comes.
                    if parent.pointee.ended < entry.pointee.ended { next = parent } else { relist(parent) }
                }
            }
            images.release(entry.pointee.image)
            images.release(entry.pointee.previousImage)
            entry.pointee.tenant?.release()
            entry.deallocate()
            count -= 1
            freedSinceTrim += 1
        }
    }

    /// Cuts chains of ended processes behind the depth to which any living one's parents are told: who forks and exits for ever would
    /// else have them all kept.
    private mutating func sweep() {
        sweeps &+= 1
        for bucket in 0...mask {
            var at = buckets[bucket]
            while let entry = at {
                at = entry.pointee.next
                guard entry.pointee.ended == 0 || entry.pointee.flags.contains(.listed) else { continue }
                var depth = 0, up = entry.pointee.parent
                while let parent = up, depth <= limits.ancestors {
                    parent.pointee.mark = sweeps
                    depth += 1
                    up = parent.pointee.parent
                }
            }
        }
        var at = held.first
        while let entry = at {
            at = entry.pointee.behind
            if entry.pointee.mark == sweeps, let parent = entry.pointee.parent, parent.pointee.ended != 0, parent.pointee.mark != sweeps {
                cut(entry)
                if parent.pointee.children == 0 { relist(parent) }
            }
        }
        heldAtSweep = held.count
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
