internal import CLibbpf
internal import Glibc
private import KernelABI

/// What is wanted of the kernel.
package struct Demand: Sendable {
    package enum Backend: Sendable { case automatic, fentry, tracepoint }
    package enum FailedExecs: UInt32, Sendable { case none, known, all }
    /// How closely writes are told (HV_DETAIL_*).
    package enum Detail: UInt32, Sendable { case summary, bytes, everyWrite }

    package var families: Set<Family> = Set(Family.allCases)
    package var backend = Backend.automatic
    /// Which acts of processes become events, where execs do.
    package var forks = false
    package var exits = true
    package var namespaces = true
    /// Processes and cgroups are followed, whatever of them becomes an event.
    package var attribution = true
    package var failedExecs = FailedExecs.known
    package var bulkCount = 1
    package var bulkSize = 4 << 20
    package var prioritySize = 512 << 10
    package var wakeBytes = 1 << 20
    package var watches = 16384
    package var handles = 16384
    package var verdicts = 16384
    package var reportEvery: UInt64 = 30_000_000_000
    /// ns in which a cgroup may cause one event, and by how much it may be ahead of that; 0: no limit.
    package var tenantInterval: UInt64 = 0
    package var tenantBurst: UInt64 = 0
    package var tenants = 1
    package var detail = Detail.summary
    /// Why LSM programs are not to be used, where it is known that they don't fire.
    package var lsmRefusal: String?

    package init() {}

    /// Kinds of records that become events, bit n is the `hv_kind` n.
    package var shownKinds: UInt32 {
        var kinds: [hv_kind] = []
        if families.contains(.exec) {
            kinds.append(HV_KIND_EXEC)
            if forks { kinds.append(HV_KIND_FORK) }
            if exits { kinds.append(HV_KIND_EXIT) }
            if namespaces { kinds.append(HV_KIND_NAMESPACE) }
        }
        if families.contains(.file) { kinds.append(HV_KIND_FILE) }
        if families.contains(.module) { kinds.append(HV_KIND_MODULE) }
        return kinds.reduce(0) { $0 | 1 << $1.rawValue }
    }
}

/// How a hook is kept, or why not.
package struct HookReport: Sendable {
    package struct Refusal: Sendable {
        package let style: Style
        package let target: String
        package let reason: String
    }
    package let family: Family
    package let promise: String
    package let kind: String
    /// Nil: no way works.
    package var style: Style?
    /// What it hangs on.
    package var targets: [String] = []
    /// The ways that were tried before it, or all of them.
    package var refusals: [Refusal] = []
    package let without: String
    package let canary: CanaryAct?
    /// Nil: no canary act for it was tried.
    package var fires: Bool?

    /// The refusals in words, each reason once.
    package var why: String {
        var said: [(reason: String, targets: [String])] = []
        for refusal in refusals {
            if let index = said.firstIndex(where: { $0.reason == refusal.reason }) {
                if !said[index].targets.contains(refusal.target) { said[index].targets.append(refusal.target) }
            } else {
                said.append((refusal.reason, [refusal.target]))
            }
        }
        return said.map { "\($0.targets.joined(separator: ", ")): \($0.reason)" }.joined(separator: "; ")
    }
}

/// The BPF programs of a run, attached. They leave the kernel when this object or the process goes.
package final class Probes {
    package private(set) var reports: [HookReport] = []
    package let maps: RingMaps
    package let demand: Demand
    package let cpus: Int
    package let kernelHasModules: Bool
    package let fetchingAtomics: Bool
    private var objects: [Family: FamilyObject] = [:]
    private var attached: [AttachedProgram] = []
    private var missesBefore: [UInt32: UInt64] = [:]
    /// Loaded, and attached only while what is watched needs them: they cost others something.
    private struct Waiting {
        let report: HookReport
        let programs: [Program]
        var links: [OpaquePointer] = []
    }
    private var waiting: [Waiting] = []

    /// Loads and attaches what is demanded, hook by hook, by trying.
    ///
    /// - Throws: when nothing can work: capabilities, BTF or maps are missing, or every hook is refused.
    package init(_ demand: Demand) throws(ProbeError) {
        let missing = Capabilities.missing()
        guard missing.isEmpty else { throw .notPermitted(missing: missing) }
        libbpf_set_print(nil)
        // Kernels before 5.11 count maps against it. Where it is refused and matters, making a map says so.
        var limit = rlimit(rlim_cur: rlim_t.max, rlim_max: rlim_t.max)
        setrlimit(__rlimit_resource_t(8), &limit)  // RLIMIT_MEMLOCK, asm-generic/resource.h

        self.demand = demand
        cpus = Int(libbpf_num_possible_cpus())
        guard cpus > 0 else { throw .nothing("can't tell how many CPUs there are (/sys/devices/system/cpu/possible): mount /sys") }
        var code: Int32 = 0
        let types = try KernelTypes(errno: &code)
        maps = try RingMaps(prioritySize: demand.prioritySize, bulkSize: demand.bulkSize, bulkCount: demand.bulkCount, cpus: cpus, tenants: demand.tenants)
        fetchingAtomics = Trial.fetchingAtomics()
        kernelHasModules = types.id(of: .tracepoint("module_load")) != nil

        var chooser = Chooser(types: types, backend: demand.backend, lsmRefusal: demand.lsmRefusal ?? Self.lsmRefusal(), preemptible: Preemption.isPossible())
        for family in Family.allCases where demand.families.contains(family) || (family == .exec && demand.attribution) {
            if family == .module && !kernelHasModules { continue }
            try open(family, &chooser)
        }
        guard reports.contains(where: { $0.style != nil }) || (demand.families == [.module] && !kernelHasModules) else {
            let reason = reports.first?.refusals.last.map { "\($0.target): \($0.reason)" } ?? "no hook was asked for"
            throw .nothing("this kernel refuses every hook (\(reason)); run hypervigil doctor")
        }
    }

    deinit {
        for program in attached { if let link = program.link { bpf_link__destroy(link) } }
        for link in waiting.flatMap(\.links) { bpf_link__destroy(link) }
    }

    /// Handles of a set in the kernel's table (HV_WAYS, bpf/lib/handles.h).
    static let handleWays = 4

    /// Where the functions of `hv_shifting` have their dentry (or inode) and their result.
    ///
    /// - Parameter lsm: LSM hooks that are used. Their arguments have not always been those of the function that calls them.
    private static func shift(_ settings: inout hv_settings, _ types: KernelTypes, lsm: Set<String>) {
        withUnsafeMutableBytes(of: &settings.dentry_at) { dentries in
            withUnsafeMutableBytes(of: &settings.result_at) { results in
                for (index, function) in Hook.shifting {
                    let hook = function.hasPrefix("security_") ? String(function.dropFirst("security_".count)) : ""
                    let found = types.arguments(
                        of: lsm.contains(hook) ? "bpf_lsm_" + hook : function, pointingTo: index == HV_AT_CAPABLE ? "inode" : "dentry")
                    dentries[Int(index.rawValue)] = found?.place ?? 255
                    results[Int(index.rawValue)] = found?.count ?? 255
                }
            }
        }
    }

    private static func powerOfTwo(atLeast count: Int) -> UInt32 {
        var power: UInt32 = 1
        while power < count { power <<= 1 }
        return power
    }

    /// BPF LSM programs attach on kernels that never call them: `bpf` must be among the security modules (lsm=, CONFIG_LSM). Where
    /// securityfs is not mounted, the canary finds out.
    private static func lsmRefusal() -> String? {
        guard let list = readFile("/sys/kernel/security/lsm") else { return nil }
        return list.split(whereSeparator: { $0 == "," || $0 == "\n" }).contains("bpf") ? nil : "bpf is not among the security modules (lsm=)"
    }

    private func hooks(of family: Family) -> [Hook] {
        switch family {
        case .exec:
            demand.families.contains(.exec)
                ? Hook.exec + (demand.failedExecs == .none ? [] : [Hook.failedExec]) + (demand.forks || demand.attribution ? [Hook.fork] : [])
                    + (demand.exits || demand.attribution ? [Hook.exit] : []) + (demand.namespaces ? [Hook.namespace] : [])
                    + (demand.attribution ? [Hook.cgroup] : [])
                // What the table of processes needs.
                : [Hook.exec[0], Hook.fork, Hook.exit, Hook.cgroup]
        case .file: Hook.file + (demand.detail == .summary ? [] : [Hook.fileDetail])
        case .module: Hook.module
        }
    }

    private func open(_ family: Family, _ chooser: inout Chooser) throws(ProbeError) {
        var hooks = hooks(of: family)
        if family == .module, let opens = reports.first(where: { $0.canary == .fileCreate }), let style = opens.style, style != .tracepoint,
            let index = hooks.firstIndex(where: { $0.promise == Hook.fileHint })
        {
            // The file family's open hook does it as well: an open pays for one program.
            let hint = hooks.remove(at: index)
            var report = HookReport(family: family, promise: hint.promise, kind: hint.kind, without: hint.without, canary: nil)
            report.style = style
            report.targets = opens.targets
            reports.append(report)
        }
        // What was found not to load or attach although a trial program did; with each the choice is made anew.
        var banned: [String: String] = [:]
        while true {
            var choices = hooks.map { chooser.choose($0, banned: banned) }
            var settings = hv_settings()
            settings.bulk_rings = UInt32(demand.bulkCount)
            settings.own_pid = UInt32(getpid())
            settings.wake_bytes = UInt64(demand.wakeBytes)
            settings.report_every = demand.reportEvery
            settings.failed_exec = demand.failedExecs.rawValue
            settings.tenant_interval = demand.tenantInterval
            settings.shown_kinds = demand.shownKinds
            settings.tenant_burst = max(demand.tenantBurst, demand.tenantInterval)
            settings.handle_mask = Self.powerOfTwo(atLeast: (demand.handles + Self.handleWays - 1) / Self.handleWays) - 1
            settings.verdict_mask = Self.powerOfTwo(atLeast: demand.verdicts) - 1
            settings.module_hints = demand.families.contains(.module) && kernelHasModules ? 1 : 0
            var programs = choices.flatMap(\.programs)
            if family == .file {
                Self.shift(&settings, chooser.types, lsm: Set(programs.filter { $0.style == .lsm }.map(\.targetName)))
                settings.folders = Hook.folderNames.isSubset(of: programs.map(\.name)) ? 1 : 0
                settings.unstamped_tmpfs = choices.contains { $0.report.targets == ["file_update_time"] } ? 1 : 0
                let open = zip(hooks, choices).filter { $0.1.report.style == nil }
                let operations = open.reduce(0) { $0 | $1.0.operation }
                // Refused opens alone are not worth a hook on every system call.
                if operations & ~UInt32(HV_OPERATION_REFUSED) != 0 && demand.backend != .fentry {
                    let (fallback, refusals) = chooser.fileTracepoints(operations, banned: banned)
                    if refusals.isEmpty {
                        settings.file_operations = operations
                        programs += fallback
                    }
                    for index in choices.indices where choices[index].report.style == nil {
                        choices[index].report.refusals += refusals
                        if refusals.isEmpty {
                            choices[index].report.style = .tracepoint
                            choices[index].report.targets = fallback.map(\.targetName)
                        }
                    }
                    for hook in Hook.fileTracepointHooks where refusals.isEmpty && hook.operation & operations != 0 {
                        let choice = chooser.choose(hook, banned: banned)
                        programs += choice.programs
                        choices.append(choice)
                    }
                }
                // Without it the first event of a handle must not wait for its bytes.
                if choices.contains(where: { $0.report.promise == Hook.fileDetail.promise && $0.report.style != nil }) {
                    settings.detail = demand.detail.rawValue
                }
                if !programs.isEmpty { programs.append(Hook.fileIdentities) }
                waiting = [Hook.filePermission, Hook.fileLayers].map { hook in
                    let choice = chooser.choose(hook, banned: banned)
                    return Waiting(report: choice.report, programs: choice.programs)
                }
            }
            if family == .exec && demand.attribution && !programs.isEmpty { programs.append(Hook.processList) }
            if programs.isEmpty {
                reports += choices.map(\.report)
                return
            }
            let idle = family == .file && !programs.isEmpty ? waiting.flatMap(\.programs) : []
            let object = try FamilyObject(
                family, fetching: fetchingAtomics, programs: Set((programs + idle).map(\.name)), settings: settings, maps: maps,
                sizes: .init(cpus: cpus, watches: demand.watches),
                sharing: objects[.file]?.map("hv_module_hints"))
            if let failure = object.load() {
                // Which one it was is found by loading them one by one; the rest is kept.
                let culprits = try refused(programs + idle, family: family, settings: settings)
                guard !culprits.isEmpty else { throw .map("of \(family.rawValue)", errno: failure.errno) }
                banned.merge(culprits) { first, _ in first }
                continue
            }
            var newlyAttached: [AttachedProgram] = []
            var failed: [String: String] = [:]
            for program in programs where !newlyAttached.contains(where: { $0.program.name == program.name }) {
                let kind = hooks.first { $0.alternatives.joined().contains { $0.name == program.name } }?.kind ?? family.rawValue
                switch object.attach(program, kind: kind) {
                case .success(let program): newlyAttached.append(program)
                case .failure(let error): failed[program.name] = "does not attach: \(text(of: error.errno))"
                }
            }
            if failed.isEmpty {
                attached += newlyAttached
                objects[family] = object
                reports += choices.map(\.report)
                return
            }
            for program in newlyAttached { if let link = program.link { bpf_link__destroy(link) } }
            banned.merge(failed) { first, _ in first }
        }
    }

    /// Attaches or detaches what costs others something, by what is watched now.
    ///
    /// - Parameters:
    ///   - types: of the file systems that are watched, as /proc/self/mountinfo names them.
    ///   - layers: whether a watched tree holds a layer of an overlay, or nfsd runs.
    package func attend(types: [String], layers: Bool) {
        let checked = types.contains { type in
            ["btrfs", "9p", "cifs", "smb3", "ceph"].contains(type) || type.hasPrefix("fuse") || type.hasPrefix("nfs")
        }
        for (index, needed) in [checked, layers].enumerated() where waiting.indices.contains(index) {
            let known = waiting[index]
            guard needed != !known.links.isEmpty, let object = objects[.file] else { continue }
            reports.removeAll { $0.promise == known.report.promise }
            known.links.forEach { bpf_link__destroy($0) }
            waiting[index].links = []
            guard needed else { continue }
            for program in known.programs {
                if case .success(let program) = object.attach(program, kind: "file"), let link = program.link { waiting[index].links.append(link) }
            }
            reports.append(known.report)
        }
    }

    /// Loads each program alone; those that fail, with the verifier's reason.
    private func refused(_ programs: [Program], family: Family, settings: hv_settings) throws(ProbeError) -> [String: String] {
        var culprits: [String: String] = [:]
        for program in programs {
            let object = try FamilyObject(
                family, fetching: fetchingAtomics, programs: [program.name], settings: settings, maps: maps,
                sizes: .init(cpus: cpus, watches: 1))
            if let failure = object.load() { culprits[program.name] = "does not load: \(failure.reason) (\(text(of: failure.errno)))" }
        }
        return culprits
    }

    /// Notes what the canary found. A hook whose acts did not come back is said to be silent.
    package func note(fired: Set<CanaryAct>, tried: Set<CanaryAct>) {
        for index in reports.indices {
            guard let act = reports[index].canary, tried.contains(act), reports[index].style != nil else { continue }
            reports[index].fires = fired.contains(act)
        }
    }

    /// An attached program, as the account of what the kernel skipped needs it.
    package struct Attached: Sendable {
        package let id: UInt32
        package let kind: String
        package let target: String
        /// An event is missing when it is skipped; else a detail of one.
        package let losesEvents: Bool
        /// Whether an event is missing can't be known.
        package let uncertain: Bool
        /// It also forgets what is kept of an object, or a folder, that has another place now.
        package let forgets: Bool
    }

    package private(set) lazy var programs: [Attached] = attached.enumerated().map {
        Attached(id: UInt32($0.offset), kind: $0.element.kind, target: $0.element.program.targetName, losesEvents: $0.element.program.losesEvents,
            uncertain: $0.element.program.mayLoseEvents, forgets: Hook.folderNames.contains($0.element.program.name))
    }

    /// Events that the kernel side suppressed so far, of all cgroups.
    package var throttled: UInt64 {
        (0..<maps.rings.count).reduce(0) { sum, ring in (0..<cpus).reduce(sum) { $0 + maps.counter(ring: ring, cpu: $1).throttled } }
    }

    /// How often the kernel skipped each attached program since it was loaded (bpf_prog_info.recursion_misses). Where further programs
    /// take over what the first was skipped for, its misses less those, and no more than any of theirs: only what all were skipped for
    /// is missing. That is set against the misses of the call before: it may be counted a little later.
    package func misses(_ body: (_ program: Attached, _ misses: UInt64) -> Void) {
        let takenOver = takenOver()
        let misses = attached.map { attached in
            var info = bpf_prog_info()
            var length = UInt32(MemoryLayout<bpf_prog_info>.size)
            return bpf_obj_get_info_by_fd(attached.descriptor, &info, &length) == 0 ? info.recursion_misses : 0
        }
        for (index, program) in programs.enumerated() where misses[index] > 0 {
            let taken: UInt64
            switch attached[index].program.name {
            case "exec_done": taken = takenOver.exec
            case "process_exit": taken = takenOver.exit
            case "process_fork": taken = takenOver.fork
            default:
                body(program, misses[index])
                continue
            }
            let further = attached.indices.filter { attached[$0].program.name.hasPrefix(attached[index].program.name + "_again") }
            let before = missesBefore.updateValue(misses[index], forKey: program.id) ?? 0
            let missing = min(before > taken ? before - taken : 0, further.map { misses[$0] }.min() ?? .max)
            if missing > 0 { body(program, missing) }
        }
    }

    private func takenOver() -> (exec: UInt64, exit: UInt64, fork: UInt64) {
        var key: UInt32 = 0, counts: (UInt64, UInt64, UInt64) = (0, 0, 0)
        if let map = objects[.exec]?.map(".data.taken") { bpf_map_lookup_elem(map, &key, &counts) }
        return counts
    }

    /// Records of the processes that are there now (`HV_KIND_PROCESS`), one behind the other; nil where the kernel does not tell.
    package func processes() -> [UInt8]? {
        guard let program = objects[.exec]?.program(Hook.processList.name) else { return nil }
        let descriptor = bpf_program__fd(program)
        guard descriptor >= 0 else { return nil }
        let link = bpf_link_create(descriptor, 0, BPF_TRACE_ITER, nil)
        guard link >= 0 else { return nil }
        defer { close(link) }
        let iterator = bpf_iter_create(link)
        guard iterator >= 0 else { return nil }
        defer { close(iterator) }
        return readBytes(from: iterator)
    }

    /// Descriptors of what the watch set writes to, and the program that gives identities.
    var fileObjectMaps: (watches: Int32, epoch: Int32, overlays: Int32, canary: Int32, identities: OpaquePointer)? {
        guard let object = objects[.file], let watches = object.map("hv_watches"), let epoch = object.map(".data.epoch"),
            let overlays = object.map(".data.overlays"), let canary = object.map(".data.canary"), let program = object.program(Hook.fileIdentities.name)
        else { return nil }
        return (watches, epoch, overlays, canary, program)
    }
}
