package import Events
internal import KernelABI
package import Rings

/// Whose an act is: cgroups' tenants, virtual machines that have no cgroup of their own, and what the disk tells of both. Belongs to the consumer
/// thread; what may block is done by a thread of its own.
///
/// Of a process, its cgroup's tenant goes first (`table.find`), then what its exec made of it (`exec`), which its children have too.
package final class Tenants {
    package let table: TenantTable
    package let programs: MachinePrograms
    private let worker: Worker<TenantQuestion, TenantAnswer>
    private var waiting: [Waiting] = []

    private struct Waiting {
        var question: TenantQuestion
        var tries = 0
        /// When it may be asked, ns of CLOCK_BOOTTIME.
        var due: UInt64 = 0
        var isAsked = false
    }

    /// An engine may write its files after it has made the group. While one of the first two tries is open an event may wait for it.
    private static let delays: [UInt64] = [0, 30_000_000, 300_000_000, 2_000_000_000, 10_000_000_000]
    private static let hopefulTries = 2
    /// Questions that are kept; of a tenant beyond those only its path tells.
    private static let mostWaiting = 4096

    /// - Parameters:
    ///   - limit: as `TenantTable` has it.
    ///   - programs: `attribution.vmms` in it.
    ///   - root: where the host's files are; empty: `/`.
    package init(limit: Int = 16_384, programs: MachinePrograms, root: String = "") {
        let files = HostFiles(root: root)
        let lookup = TenantLookup(files: files)
        table = TenantTable(limit: limit, isProxmox: files.exists("/usr/bin/pveversion"))
        self.programs = programs
        worker = Worker(name: "hv-tenants", limit: 256) { lookup.answer($0) }
    }

    deinit { worker.stop() }

    /// The groups that there are already; after the programs that tell of new ones are attached, so that none is missed. What is known stays.
    package func fill(_ roots: [CgroupWalk.Root] = CgroupWalk.roots()) {
        for root in roots {
            CgroupWalk.walk(root) { id, path in
                path.withUnsafeBytes { table.learn(id, root.hierarchy, path: $0) }
                return true
            }
        }
    }

    /// Hands over what was found out and asks what is open. Cheap where there is nothing; with each drain.
    /// - Parameter now: CLOCK_BOOTTIME, ns.
    package func poll(now: UInt64) {
        if worker.hasAnswers { for answer in worker.takeAnswers() { take(answer, now) } }
        for question in table.takeQuestions() {
            if waiting.count < Self.mostWaiting { waiting.append(Waiting(question: question)) } else { table.answer(TenantAnswer(question)) }
        }
        guard !waiting.isEmpty else { return }
        for index in waiting.indices where !waiting[index].isAsked && waiting[index].due <= now {
            guard worker.ask(waiting[index].question) else { break }
            waiting[index].isAsked = true
        }
    }

    /// Whether nothing is open.
    package var isSettled: Bool { waiting.isEmpty }
    /// Whether something has not been looked up even once.
    package var hasUntried: Bool { waiting.contains { $0.tries == 0 } }

    private func take(_ answer: TenantAnswer, _ now: UInt64) {
        guard let index = waiting.firstIndex(where: { $0.isAsked && $0.question == answer.question }) else { return }
        waiting[index].tries += 1
        let tries = waiting[index].tries
        let isFound = answer.facts != nil || answer.proof != nil
        table.answer(answer, isFinal: isFound || tries >= Self.hopefulTries)
        if isFound || tries == Self.delays.count {
            waiting.remove(at: index)
        } else {
            waiting[index].isAsked = false
            waiting[index].due = now + Self.delays[tries]
        }
    }

    // MARK: processes

    /// What an exec makes of a process that runs a virtual machine monitor.
    ///
    /// The executable is known by its inode; arguments are those of the record. A machine in a group that an engine made for it has that one's
    /// tenant, which learns its name and uuid; one in a container's group is the container's affair. Else the process itself is the tenant, with the user who runs
    /// it in the id unless that is root.
    ///
    /// - Parameters:
    ///   - hierarchy: of the actor's cgroup; nil: not known.
    ///   - hostMountNamespace: inode number of the host's.
    ///   - before: what the process was before this exec, or its parent is.
    /// - Returns: what it and its children are from now on; nil: nothing of its own.
    package func exec(
        _ exec: borrowing ExecView, hierarchy: CgroupHierarchy? = nil, hostMountNamespace: UInt32, before: ProcessTenant?
    ) -> ProcessTenant? {
        guard exec.error == 0 else { return before }
        let object = exec.executableObject
        let identity = MachinePrograms.Identity(device: object.device, inode: object.inode)
        let actor = exec.actor
        let isInHost = actor.mountNamespace == hostMountNamespace
        var program = exec.executable.withUnsafeBytes { programs.find(identity, path: $0, isInHostMountNamespace: isInHost) }
        // Only root can be let into a jail by the jailer, which copies there what it runs; that copy has an inode of its own.
        let isJailed = program == nil && before?.isJailer == true
        if isJailed { program = .firecracker }
        guard let program else { return before?.isJailer == true ? nil : before }
        let user = actor.uid != 0 ? actor.uid : actor.effectiveUid
        if program == .jailer, user != 0 { return before }
        let machine = exec.arguments.withUnsafeBytes { VirtualMachine(program, $0) }
        return process(
            machine, program, cgroup: actor.cgroup, hierarchy, user: isJailed ? 0 : user, pid: actor.pid, start: actor.start)
    }

    /// The same for what is known of a process by other means.
    package func process(
        _ machine: VirtualMachine, _ program: VirtualMachine.Program, cgroup: UInt64, _ hierarchy: CgroupHierarchy?, user: UInt32, pid: UInt32,
        start: UInt64
    ) -> ProcessTenant? {
        let found = hierarchy.map { table.find(cgroup, $0) } ?? table.find(cgroup)
        if found.tenant != nil {
            let facts = TenantFacts(id: VirtualMachine.isUUID(machine.id) ? machine.id : "", name: machine.name)
            if program != .jailer { _ = table.complete(cgroup, hierarchy, with: facts) }
            return program == .jailer ? ProcessTenant(tenant: nil, isJailer: true) : nil
        }
        return ProcessTenant(tenant: machine.tenant(program, user: user, pid: pid, start: start), isJailer: program == .jailer)
    }
}

/// What a process is by its exec, or its parent's. The process table keeps it: a fork's child has the parent's.
package final class ProcessTenant: Sendable {
    /// Nil: the host's.
    package let tenant: Tenant?
    /// It runs Firecracker's jailer, as root.
    package let isJailer: Bool

    package init(tenant: Tenant?, isJailer: Bool = false) {
        self.tenant = tenant
        self.isJailer = isJailer
    }
}

extension VirtualMachine {
    /// - Parameters:
    ///   - user: who runs it; part of the id unless it is root.
    ///   - start: of the process, ns since boot; with its pid the id of a machine that has none. 0: not known.
    package func tenant(_ program: Program, user: UInt32, pid: UInt32, start: UInt64) -> Tenant {
        let owner = user == 0 ? CgroupTenant.Owner.host : .user(user)
        // A user may start a monitor with the arguments of any engine; only libvirt has sessions of users' own.
        let engine = user == 0 || self.engine == "libvirt" ? self.engine : program.rawValue
        return Tenant(
            kind: .vm, engine: engine, role: program == .jailer ? .manager : .guest, id: owner.prefix + (!id.isEmpty ? id : start == 0 ? "\(pid)" : "\(pid)-\(start)"), name: name,
            isClaimed: user != 0)
    }
}
