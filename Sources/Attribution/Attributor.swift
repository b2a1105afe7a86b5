package import Events
internal import Glibc
internal import KernelABI
package import Rings

/// What is known of an actor beside its record, put together from the tables. For the consumer's thread; nothing here waits.
package struct Attributor: ~Copyable {
    package var processes: ProcessTable
    private var users: Users?
    /// Theirs, where reading it does not copy them.
    private var usersGeneration: UInt64 = 0
    private let hashes: FileHashes?
    private let packages: Packages?
    private let tenants: Tenants?
    /// Theirs, without the reference.
    private let tenantChanges: UnsafePointer<UInt64>?
    /// By their numbers in the kernel.
    private let hierarchies: UnsafeMutablePointer<CgroupHierarchy?>
    /// Goes up when a hash or a package has become known.
    private var answers: UInt64 = 0
    /// CLOCK_BOOTTIME at the beginning of the drain, ns; what the tables lend is good for as long.
    private var now: UInt64 = 0
    /// When memory that is not needed any more is given back; 0: nothing is due.
    private var trimAt: UInt64 = 0
    /// CLOCK_REALTIME minus CLOCK_BOOTTIME, ns.
    package var realtimeOffset: Int64 = 0
    private let cache: FactsCache
    /// Goes up when what the tables of names lent is not good any more.
    private var epoch: UInt64 = 0
    /// Of a process that found no place.
    private let unknown: UnsafeMutablePointer<ActorFacts>
    /// The last module's.
    private let moduleHash: UnsafeMutableRawPointer
    private let host: Namespaces

    /// - Parameters:
    ///   - users, hashes, packages, tenants: nil where they are not asked for.
    ///   - host: its namespaces.
    package init(
        _ limits: ProcessTable.Limits, host: Namespaces = Namespaces(), users: consuming Users? = nil, hashes: FileHashes? = nil,
        packages: Packages? = nil, tenants: Tenants? = nil
    ) {
        self.host = host
        self.users = users
        self.hashes = hashes
        self.packages = packages
        self.tenants = tenants
        tenantChanges = tenants.map { UnsafePointer($0.table.changes) }
        hierarchies = .allocate(capacity: 256)
        hierarchies.initialize(repeating: nil, count: 256)
        hierarchies[0] = .unified
        if tenants != nil, let text = contents("/proc/cgroups", limit: 1 << 16) {
            for (number, hierarchy) in CgroupWalk.numbers(cgroups: String(decoding: text, as: UTF8.self)) where number > 0 && number < 256 {
                hierarchies[Int(number)] = hierarchy
            }
        }
        processes = ProcessTable(limits)
        cache = FactsCache(ancestors: limits.ancestors)
        unknown = .allocate(capacity: 1)
        unknown.initialize(to: ActorFacts())
        moduleHash = .allocate(byteCount: FactsCache.longestCopy, alignment: 8)
    }

    deinit {
        unknown.deallocate()
        moduleHash.deallocate()
        hierarchies.deallocate()
    }

    /// Takes in what was found out meanwhile. Once a drain.
    ///
    /// - Parameter now: CLOCK_BOOTTIME, ns.
    package mutating func collect(now: UInt64) {
        self.now = now
        if users?.collect(now: now) == true { epoch &+= 1 }
        noteUsers()
        if hashes?.take() == true { answers &+= 1 }
        if packages?.take() == true {
            answers &+= 1
            // Reading a database takes memory for a moment.
            trimAt = now &+ 1_000_000_000
        }
        tenants?.poll(now: now)
    }

    /// Takes over the processes that are there.
    ///
    /// - Parameters:
    ///   - records: of `HV_KIND_PROCESS`, one behind the other; what is no whole record ends it.
    ///   - masked: arguments without their secrets.
    package mutating func fill(_ records: RawSpan, masked: ([UInt8]) -> [UInt8]) {
        ProcessView.each(in: records) { note($0, masked: masked) }
        tenants?.fill()
        for (pid, start) in processes.missingParents() {
            guard var found = ProcProcess(pid, start, limit: processes.limits.arguments) else { continue }
            found.arguments = masked(found.arguments)
            processes.note(found, pid: pid, start: start)
        }
    }

    private mutating func note(_ view: borrowing ProcessView, masked: ([UInt8]) -> [UInt8]) {
        // Threads of the kernel's have no arguments.
        let isKernels = view.executable.inode == 0
        let words = isKernels ? nil : ProcProcess.arguments(view.actor.pid, view.actor.start, limit: processes.limits.arguments)
        masked(words ?? []).withUnsafeBytes { processes.note(view, arguments: $0) }
        observe(view)
    }

    /// The same at any later time: those that are gone, and whose end nobody told, are done with; those whose start nobody told are taken in.
    ///
    /// - Parameters:
    ///   - records, masked: as for ``fill(_:masked:)``.
    ///   - time: before the records were made, ns.
    package mutating func reconcile(_ records: RawSpan, at time: UInt64, masked: ([UInt8]) -> [UInt8]) {
        ProcessView.each(in: records) { view in
            // What started of late has its record still on the way.
            guard view.actor.start &+ ProcessTable.linger < time, processes.find(pid: view.actor.pid, start: view.actor.start) == nil else { return }
            note(view, masked: masked)
        }
        processes.reconcile(records, at: time)
        // The records of all processes are megabytes.
        trimAt = time &+ 1_000_000_000
    }

    /// What a record tells of processes, before it becomes an event.
    @inline(__always)
    package mutating func observe(_ record: RawSpan, kind: UInt32) {
        switch kind {
        case HV_KIND_EXEC.rawValue: if let view = ExecView(record) { observe(view) }
        case HV_KIND_FORK.rawValue: if let view = ForkView(record) { processes.note(view) }
        case HV_KIND_EXIT.rawValue: if let view = ExitView(record) { processes.note(view) }
        case HV_KIND_CGROUP.rawValue: if let view = CgroupView(record) { observe(view) }
        default: break
        }
    }

    private func observe(_ view: borrowing CgroupView) {
        guard let tenants, let hierarchy = hierarchies[Int(view.hierarchy)] else { return }
        let path = view.path.withUnsafeBytes { $0 }
        let isCut = view.pathFlags.contains(.truncated)
        switch hv_cgroup_action(view.action) {
        case HV_CGROUP_MADE: tenants.table.add(view.cgroup, hierarchy, path: path, truncated: isCut, parent: view.parent)
        case HV_CGROUP_RENAMED: tenants.table.rename(view.cgroup, hierarchy, path: path, truncated: isCut)
        case HV_CGROUP_REMOVED: tenants.table.remove(view.cgroup, hierarchy)
        default: break
        }
    }

    /// A process that was there before: a virtual machine by its executable; its arguments now need not be those of its exec, and are not believed.
    private mutating func observe(_ view: borrowing ProcessView) {
        let actor = view.actor
        guard let tenants, let entry = processes.find(pid: actor.pid, start: actor.start) else { return }
        learn(actor, view.cgroupPath, isCut: false)
        let object = view.executable
        let program = view.executablePath.withUnsafeBytes {
            tenants.programs.find(
                MachinePrograms.Identity(device: object.device, inode: object.inode), path: $0, isInHostMountNamespace: actor.mountNamespace == host.mount)
        }
        guard object.inode != 0, let program else { return }
        let user = actor.uid != 0 ? actor.uid : actor.effectiveUid
        if program == .jailer, user != 0 { return }
        let tenant = tenants.process(
            VirtualMachine(program, ActorFacts.none), program, cgroup: actor.cgroup, hierarchies[Int(actor.cgroupHierarchy)], user: user, pid: actor.pid,
            start: actor.start)
        processes.set(tenant, of: entry)
    }

    /// A cgroup that no record told of when it was made.
    private func learn(_ actor: borrowing ActorView, _ path: RawSpan, isCut: Bool) {
        guard let tenants, path.byteCount > 0, let hierarchy = hierarchies[Int(actor.cgroupHierarchy)],
            !tenants.table.find(actor.cgroup, hierarchy).isKnown
        else { return }
        path.withUnsafeBytes { tenants.table.learn(actor.cgroup, hierarchy, path: $0, truncated: isCut) }
    }

    private mutating func observe(_ view: borrowing ExecView) {
        guard view.error == 0 else { return }
        let entry = processes.note(view)
        let actor = view.actor
        if let tenants, let entry {
            learn(actor, view.cgroupPath, isCut: view.flags(of: HV_EXEC_CGROUP).contains(.truncated))
            let before = entry.pointee.tenant?.takeUnretainedValue()
            let tenant = tenants.exec(
                view, hierarchy: hierarchies[Int(actor.cgroupHierarchy)], hostMountNamespace: host.mount, before: before)
            processes.set(tenant, of: entry)
        }
        guard hashes != nil || packages != nil else { return }
        let path = view.executable.withUnsafeBytes { $0 }
        let isHost = host.mount == 0 || actor.mountNamespace == host.mount
        let identity = FileIdentity(view.executableObject, ctime: view.executableChanged)
        let time = UInt64(bitPattern: Int64(bitPattern: view.header.time) &+ realtimeOffset)
        _ = hashes?.request(
            identity,
            FileSource(
                .executable, pid: actor.pid, start: actor.start, parent: actor.parentPid, time: time, hostPath: isHost ? path : ActorFacts.none,
                actorPath: path))
        if isHost, !view.header.has(HV_EXEC_FILELESS) { _ = packages?.request(identity, path: path) }
    }

    /// The file of a module record: its SHA-256, or why there is none. Asks where it is not known; the bytes are valid until the next call of anything here.
    package func hash(of record: RawSpan, hostPath: UnsafeRawBufferPointer) -> (hash: ActorFacts.Bytes, failure: ActorFacts.Bytes, isPending: Bool) {
        guard let hashes, let view = ModuleView(record), view.file.inode != 0, view.source == HV_MODULE_SOURCE_FILE.rawValue else { return (ActorFacts.none, ActorFacts.none, false) }
        let actor = view.actor
        let identity = FileIdentity(view.file, ctime: view.fileChanged)
        let time = UInt64(bitPattern: Int64(bitPattern: view.header.time) &+ realtimeOffset)
        let state = hashes.request(
            identity,
            FileSource(
                .file, pid: actor.pid, start: actor.start, parent: actor.parentPid, time: time, hostPath: hostPath,
                actorPath: view.filePath.withUnsafeBytes { $0 }))
        switch state {
        case .known(let bytes):
            let count = min(bytes.count, FactsCache.longestCopy)
            if let start = bytes.baseAddress { memcpy(moduleHash, start, count) }
            return (UnsafeRawBufferPointer(start: moduleHash, count: count), ActorFacts.none, false)
        case .failed(let failure): return (ActorFacts.none, failure.bytes, false)
        case .pending: return (ActorFacts.none, Self.late, true)
        case .unknown: return (ActorFacts.none, ActorFacts.none, false)
        }
    }

    /// Asked for, and not known in time.
    private static var late: ActorFacts.Bytes {
        let name: StaticString = "late"
        return ActorFacts.Bytes(start: name.utf8Start, count: name.utf8CodeUnitCount)
    }

    /// What is known of an actor at the time of its act, valid until the next call of anything here.
    @inline(__always)
    package mutating func facts(of actor: borrowing ActorView, at time: UInt64) -> UnsafePointer<ActorFacts> {
        guard let entry = processes.entry(actor, time) else { return UnsafePointer(unknown) }
        let slot = cache.slot(entry)
        if slot.pointee.entry != entry || slot.pointee.changes != changes || time < slot.pointee.since || !isGood(slot, actor) {
            renew(slot, actor, entry, at: time)
        }
        let facts = UnsafeMutableRawPointer(slot) + MemoryLayout<FactsCache.Slot>.offset(of: \.facts).unsafelyUnwrapped
        return UnsafePointer(facts.assumingMemoryBound(to: ActorFacts.self))
    }

    private mutating func noteUsers() { usersGeneration = users?.generation ?? 0 }

    /// Counts of all that facts are made of: the same as long as nothing changed.
    @inline(__always)
    private var changes: UInt64 {
        mutating get { processes.changes &+ (tenantChanges?.pointee ?? 0) &+ usersGeneration &+ answers }
    }

    /// Whether what a slot has is this actor's, and young enough: names are looked up anew now and then, and what is waited for with each drain.
    @inline(__always)
    private func isGood(_ slot: UnsafeMutablePointer<FactsCache.Slot>, _ actor: borrowing ActorView) -> Bool {
        slot.pointee.epoch == epoch && now &- slot.pointee.filledAt < (slot.pointee.facts.isPending ? 1 : 1_000_000_000)
            && slot.pointee.parentPid == actor.parentPid && slot.pointee.parentStart == actor.parentStart && cache.hasSameIDs(slot, actor)
    }

    /// Something changed, though not necessarily anything of this process.
    @inline(never)
    private mutating func renew(
        _ slot: UnsafeMutablePointer<FactsCache.Slot>, _ actor: borrowing ActorView, _ entry: ProcessEntry.Reference, at time: UInt64
    ) {
        let parent = processes.parent(of: entry, now: actor)
        var since: UInt64 = 0
        let version = version(entry, parent, at: time, &since)
        if slot.pointee.entry != entry || slot.pointee.facts.version != version || !isGood(slot, actor) {
            fill(slot, actor, entry, parent, at: time, version)
        }
        slot.pointee.since = since
        slot.pointee.changes = changes
    }

    /// Another one whenever anything is that the facts are made of, but the actor's own ids.
    ///
    /// - Parameter since: becomes the time from which on it is right, .max where that is none.
    private mutating func version(
        _ entry: ProcessEntry.Reference, _ parent: ProcessEntry.Reference?, at time: UInt64, _ since: inout UInt64
    ) -> UInt64 {
        func image(_ one: ProcessEntry.Reference) -> UInt64 {
            since = max(since, time >= one.pointee.imageSince ? one.pointee.imageSince : .max)
            return processes.image(of: one, at: time)?.pointee.version ?? 0
        }
        var version = Self.mix(entry.pointee.version ^ answers &<< 48, image(entry))
        version = Self.mix(version, usersGeneration)
        // A group that is known to be the host's is another thing than one that is not known.
        if tenants != nil { version = Self.mix(version, group(of: entry).map { $0.version &* 2 &+ 1 } ?? 0) }
        if let parent { version = Self.mix(version, image(parent)) }
        var up = processes.parent(of: entry), depth = 0
        while let one = up, depth < processes.limits.ancestors {
            version = Self.mix(version ^ one.pointee.version, image(one))
            up = processes.parent(of: one)
            depth &+= 1
        }
        return version | 1
    }

    /// What is known of its cgroup, or where nothing is, of its parent's.
    @inline(__always)
    private func group(of entry: ProcessEntry.Reference) -> TenantFound? {
        guard let tenants else { return nil }
        var at: ProcessEntry.Reference? = entry, depth = 0
        while let one = at, depth < 64 {
            let cgroup = one.pointee.cgroup
            if let hierarchy = hierarchies[Int(truncatingIfNeeded: cgroup &>> UInt64(HV_CGROUP_SHIFT))] {
                let found = tenants.table.find(ActorView.cgroupID(cgroup), hierarchy)
                if found.isKnown { return found }
            }
            at = one.pointee.parent
            depth &+= 1
        }
        return nil
    }

    @inline(__always)
    private static func mix(_ sum: UInt64, _ value: UInt64) -> UInt64 {
        // Versions are small numbers that follow each other: no sum or difference of theirs may stand for another pair.
        let spread = (sum &+ 1) &* 0x9e37_79b9_7f4a_7c15
        let mixed = ((spread ^ spread &>> 32) &+ value) &* 0xff51_afd7_ed55_8ccd
        return mixed ^ mixed &>> 33
    }

    private mutating func fill(
        _ slot: UnsafeMutablePointer<FactsCache.Slot>, _ actor: borrowing ActorView, _ entry: ProcessEntry.Reference, _ parent: ProcessEntry.Reference?,
        at time: UInt64, _ version: UInt64
    ) {
        var facts = ActorFacts()
        facts.version = version
        if let image = processes.image(of: entry, at: time) {
            facts.executable = image.path
            facts.arguments = image.arguments
            facts.argumentsAreFromProc = image.pointee.flags.contains(.fromProc)
            describe(image, slot, &facts, inHost: host.mount == 0 || entry.pointee.namespaces.mount == host.mount)
        }
        if let parent, let image = processes.image(of: parent, at: time) {
            facts.parentExecutable = image.path
            facts.parentArguments = image.arguments
        }
        let ancestors = cache.ancestors(slot)
        var up = entry.pointee.parent, depth = 0
        var last = entry
        while let one = up, depth < processes.limits.ancestors {
            (ancestors + depth).initialize(
                to: ActorFacts.Ancestor(
                    start: one.pointee.start, pid: one.pointee.pid, name: Self.name(of: one),
                    executable: processes.image(of: one, at: time)?.path ?? ActorFacts.none, isFromProc: one.pointee.flags.contains(.fromProc)))
            last = one
            up = one.pointee.parent
            depth += 1
        }
        facts.ancestors = UnsafeBufferPointer(start: ancestors, count: depth)
        // Where the chain was cut, and where a parent is not in the table, since its start was missed.
        facts.ancestorsTruncated = up != nil || last.pointee.flags.contains(.chainCut) || last.pointee.parentPid != 0
        if let found = group(of: entry) {
            facts.isTenantKnown = true
            facts.tenant = found.tenant
            facts.isPending = facts.isPending || found.isPending
        }
        // The group's first; else what its exec made of it.
        if facts.tenant == nil, let own = entry.pointee.tenant {
            facts.tenant = own._withUnsafeGuaranteedRef { $0.tenant.map { Unmanaged.passUnretained($0) } }
        }
        facts.foreignNamespaces = foreign(entry.pointee.namespaces)
        if users?.fill(&facts, of: actor, inTenant: facts.tenant != nil, now: now) == .pending { facts.isPending = true }
        noteUsers()
        facts.measure()
        slot.pointee.facts = facts
        slot.pointee.entry = entry
        (slot.pointee.parentPid, slot.pointee.parentStart) = (actor.parentPid, actor.parentStart)
        (slot.pointee.filledAt, slot.pointee.epoch) = (now, epoch)
        cache.keepIDs(slot, actor)
    }

    /// The hash of what a process runs, and the package it came with.
    private func describe(
        _ image: UnsafeMutablePointer<Image>, _ slot: UnsafeMutablePointer<FactsCache.Slot>, _ facts: inout ActorFacts, inHost: Bool
    ) {
        guard image.pointee.object.inode != 0 else { return }
        let identity = FileIdentity(image.pointee.object, ctime: image.pointee.ctime)
        switch hashes?.look(identity) {
        case .known(let hash): facts.hash = cache.copy(hash, slot, .hash)
        case .failed(.off), .unknown, nil: break
        case .failed(let failure): facts.hashFailure = failure.bytes
        case .pending:
            facts.hashFailure = Self.late
            facts.isPending = true
        }
        guard inHost, !image.pointee.flags.contains(.fileless), let packages else { return }
        switch packages.look(identity, path: image.path) {
        case .owned(let name, let version):
            facts.packageName = cache.copy(name, slot, .packageName)
            facts.packageVersion = cache.copy(version, slot, .packageVersion)
        case .unpackaged: facts.unpackaged = true
        case .pending: facts.isPending = true
        case .unknown, .unanswered: break
        }
    }

    private static func name(of entry: ProcessEntry.Reference) -> UnsafeRawBufferPointer {
        let start = UnsafeRawPointer(entry) + MemoryLayout<ProcessEntry>.offset(of: \.name).unsafelyUnwrapped
        var length = 0
        while length < 16, start.load(fromByteOffset: length, as: UInt8.self) != 0 { length += 1 }
        return UnsafeRawBufferPointer(start: start, count: length)
    }

    private func foreign(_ own: Namespaces) -> NamespaceSet {
        var set: NamespaceSet = []
        if host.mount != 0, own.mount != 0, own.mount != host.mount { set.insert(.mount) }
        if host.pid != 0, own.pid != 0, own.pid != host.pid { set.insert(.pid) }
        if host.user != 0, own.user != 0, own.user != host.user { set.insert(.user) }
        return set
    }

    package mutating func expire(now: UInt64) {
        processes.expire(now: now)
        if trimAt != 0, now > trimAt {
            trimAt = 0
            hv_trim_memory()
        }
    }
}
