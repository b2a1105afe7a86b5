package import Events
internal import Glibc
internal import KernelABI
package import Rings

/// What is known of an actor beside its record, put together from the tables. For the consumer's thread; nothing here waits.
package struct Attributor: ~Copyable {
    package var processes: ProcessTable
    private var users: Users?
    private let hashes: FileHashes?
    private let packages: Packages?
    private let tenants: Tenants?
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
    /// What `facts` was made for, beside its version: the drain, and the actor's ids.
    private var filledAt: UInt64 = .max
    private let ids: UnsafeMutableRawPointer
    /// Copies of what is lent for a shorter time than `facts` is.
    private let copies: UnsafeMutableRawPointer
    private enum Copy: Int, CaseIterable { case hash, packageName, packageVersion, moduleHash }
    private static let longestCopy = 256
    /// Of the last call of `facts`.
    private let facts: UnsafeMutablePointer<ActorFacts>
    private let ancestors: UnsafeMutablePointer<ActorFacts.Ancestor>
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
        hierarchies = .allocate(capacity: 256)
        hierarchies.initialize(repeating: nil, count: 256)
        hierarchies[0] = .unified
        if tenants != nil, let text = contents("/proc/cgroups", limit: 1 << 16) {
            for (number, hierarchy) in CgroupWalk.numbers(cgroups: String(decoding: text, as: UTF8.self)) where number > 0 && number < 256 {
                hierarchies[Int(number)] = hierarchy
            }
        }
        processes = ProcessTable(limits)
        facts = .allocate(capacity: 1)
        facts.initialize(to: ActorFacts())
        ancestors = .allocate(capacity: limits.ancestors + 1)
        ids = .allocate(byteCount: Self.idBytes, alignment: 8)
        copies = .allocate(byteCount: Copy.allCases.count * Self.longestCopy, alignment: 8)
    }

    deinit {
        facts.deallocate()
        ancestors.deallocate()
        ids.deallocate()
        copies.deallocate()
        hierarchies.deallocate()
    }

    /// Takes in what was found out meanwhile. Once a drain.
    ///
    /// - Parameter now: CLOCK_BOOTTIME, ns.
    package mutating func collect(now: UInt64) {
        self.now = now
        users?.collect(now: now)
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
        case .known(let bytes): return (copy(bytes, .moduleHash), ActorFacts.none, false)
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

    private func copy(_ bytes: UnsafeRawBufferPointer, _ place: Copy) -> UnsafeRawBufferPointer {
        let to = copies + place.rawValue * Self.longestCopy
        let count = min(bytes.count, Self.longestCopy)
        if let start = bytes.baseAddress { memcpy(to, start, count) }
        return UnsafeRawBufferPointer(start: to, count: count)
    }

    /// Where an actor's ids are, and how many bytes they take: from the real user to the terminal, back to back (bpf/record.h).
    private static var idPlace: Int { @inline(__always) get { MemoryLayout<hv_actor>.offset(of: \.uid).unsafelyUnwrapped } }
    private static let idBytes = MemoryLayout<hv_actor>.offset(of: \.task_flags).unsafelyUnwrapped - MemoryLayout<hv_actor>.offset(of: \.uid).unsafelyUnwrapped

    /// What is known of an actor at the time of its act, valid until the next call.
    @inline(__always)
    package mutating func facts(of actor: borrowing ActorView, at time: UInt64) -> UnsafePointer<ActorFacts> {
        guard let entry = processes.entry(actor, time) else {
            facts.pointee = ActorFacts()
            filledAt = .max
            return UnsafePointer(facts)
        }
        let parent = processes.parent(of: entry, now: actor)
        let version = version(entry, parent, at: time)
        if facts.pointee.version != version || filledAt != now || !hasSameIDs(actor) { fill(actor, entry, parent, at: time, version) }
        return UnsafePointer(facts)
    }

    @inline(__always)
    private func hasSameIDs(_ actor: borrowing ActorView) -> Bool {
        actor.bytes.withUnsafeBytes { memcmp($0.baseAddress.unsafelyUnwrapped + Self.idPlace, ids, Self.idBytes) == 0 }
    }

    /// Another one whenever anything is that the facts are made of, but the actor's own ids.
    @inline(__always)
    private mutating func version(_ entry: ProcessEntry.Reference, _ parent: ProcessEntry.Reference?, at time: UInt64) -> UInt64 {
        var version = Self.mix(entry.pointee.version ^ answers &<< 48, processes.image(of: entry, at: time)?.pointee.version ?? 0)
        version = Self.mix(version, users?.generation ?? 0)
        if tenants != nil { version = Self.mix(version, group(of: entry)?.version ?? 0) }
        if let parent { version = Self.mix(version, processes.image(of: parent, at: time)?.pointee.version ?? 0) }
        var up = processes.parent(of: entry), depth = 0
        while let one = up, depth < processes.limits.ancestors {
            version = Self.mix(version ^ one.pointee.version, processes.image(of: one, at: time)?.pointee.version ?? 0)
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

    @inline(never)
    private mutating func fill(
        _ actor: borrowing ActorView, _ entry: ProcessEntry.Reference, _ parent: ProcessEntry.Reference?, at time: UInt64, _ version: UInt64
    ) {
        facts.pointee = ActorFacts()
        facts.pointee.version = version
        filledAt = now
        actor.bytes.withUnsafeBytes { _ = memcpy(ids, $0.baseAddress.unsafelyUnwrapped + Self.idPlace, Self.idBytes) }
        if let image = processes.image(of: entry, at: time) {
            facts.pointee.executable = image.path
            facts.pointee.arguments = image.arguments
            facts.pointee.argumentsAreFromProc = image.pointee.flags.contains(.fromProc)
            describe(image, inHost: host.mount == 0 || entry.pointee.namespaces.mount == host.mount)
        }
        if let parent, let image = processes.image(of: parent, at: time) {
            facts.pointee.parentExecutable = image.path
            facts.pointee.parentArguments = image.arguments
        }
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
        facts.pointee.ancestors = UnsafeBufferPointer(start: ancestors, count: depth)
        // Where the chain was cut, and where a parent is not in the table, since its start was missed.
        facts.pointee.ancestorsTruncated = up != nil || last.pointee.flags.contains(.chainCut) || last.pointee.parentPid != 0
        if let found = group(of: entry) {
            facts.pointee.isTenantKnown = true
            facts.pointee.tenant = found.tenant
            facts.pointee.isPending = facts.pointee.isPending || found.isPending
        }
        // The group's first; else what its exec made of it.
        if facts.pointee.tenant == nil, let own = entry.pointee.tenant {
            facts.pointee.tenant = own._withUnsafeGuaranteedRef { $0.tenant.map { Unmanaged.passUnretained($0) } }
        }
        facts.pointee.foreignNamespaces = foreign(entry.pointee.namespaces)
        if users?.fill(&facts.pointee, of: actor, inTenant: facts.pointee.tenant != nil, now: now) == .pending { facts.pointee.isPending = true }
    }

    /// The hash of what a process runs, and the package it came with.
    private mutating func describe(_ image: UnsafeMutablePointer<Image>, inHost: Bool) {
        guard image.pointee.object.inode != 0 else { return }
        let identity = FileIdentity(image.pointee.object, ctime: image.pointee.ctime)
        switch hashes?.look(identity) {
        case .known(let hash): facts.pointee.hash = copy(hash, .hash)
        case .failed(.off), .unknown, nil: break
        case .failed(let failure): facts.pointee.hashFailure = failure.bytes
        case .pending:
            facts.pointee.hashFailure = Self.late
            facts.pointee.isPending = true
        }
        guard inHost, !image.pointee.flags.contains(.fileless), let packages else { return }
        switch packages.look(identity, path: image.path) {
        case .owned(let name, let version):
            facts.pointee.packageName = copy(name, .packageName)
            facts.pointee.packageVersion = copy(version, .packageVersion)
        case .unpackaged: facts.pointee.unpackaged = true
        case .pending: facts.pointee.isPending = true
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
