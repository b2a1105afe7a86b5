internal import Glibc

/// Settles for each hook which alternative to load, from BTF and from trial programs, and keeps the reasons.
struct Chooser {
    let types: KernelTypes
    let backend: Demand.Backend
    private var tried: [String: String?] = [:]

    private let lsmRefusal: String?
    /// The kernel may skip fentry programs, and LSM programs are better.
    private let preemptible: Bool

    init(types: KernelTypes, backend: Demand.Backend, lsmRefusal: String?, preemptible: Bool) {
        self.types = types
        self.backend = backend
        self.lsmRefusal = lsmRefusal
        self.preemptible = preemptible
    }

    /// An LSM program costs each call some 40 instructions more than a fentry program on the same function.
    private func inOrder(_ alternatives: [[Program]]) -> [[Program]] {
        guard !preemptible, let place = alternatives.firstIndex(where: { $0.contains { $0.style == .lsm } }),
            let function = alternatives.firstIndex(where: { $0.allSatisfy { $0.style == .fentry } }), place < function
        else { return alternatives }
        var order = alternatives
        order.swapAt(place, function)
        return order
    }

    /// Nil when a program may hang on this target.
    private mutating func refusal(of program: Program, banned: [String: String]) -> String? {
        if let reason = banned[program.name] { return reason }
        if program.style == .lsm, let lsmRefusal { return lsmRefusal }
        let key = "\(program.target)"
        if let known = tried[key] { return known }
        let reason: String? =
            if let id = types.id(of: program.target) {
                Trial.load(program.target, id: id).map { code in
                    code == EPERM ? "the kernel refuses programs of this style (EPERM)" : "the kernel refuses it: \(text(of: code))"
                }
            } else {
                "this kernel has no such \(program.style == .tracepoint ? "tracepoint" : "function")"
            }
        tried[key] = .some(reason)
        return reason
    }

    struct Choice {
        var report: HookReport
        var programs: [Program]
    }

    mutating func choose(_ hook: Hook, banned: [String: String]) -> Choice {
        var report = HookReport(family: hook.family, promise: hook.promise, kind: hook.kind, without: hook.without, canary: hook.canary)
        for alternative in inOrder(hook.alternatives) {
            let traced = alternative.allSatisfy { $0.style == .tracepoint }
            // sched_process_exec and its like serve every style; what has another way is the style's own.
            if hook.alternatives.count > 1 && ((backend == .tracepoint && !traced) || (backend == .fentry && traced)) {
                report.refusals.append(.init(style: alternative[0].style, target: alternative[0].targetName, reason: "not asked for (--backend)"))
                continue
            }
            if backend == .tracepoint && !traced {
                report.refusals.append(.init(style: alternative[0].style, target: alternative[0].targetName, reason: "not asked for (--backend)"))
                continue
            }
            var usable: [Program] = []
            var reason: HookReport.Refusal?
            for program in alternative {
                if let why = refusal(of: program, banned: banned) {
                    if program.optional { continue }
                    reason = .init(style: program.style, target: program.targetName, reason: why)
                    break
                }
                usable.append(program)
            }
            if let reason {
                report.refusals.append(reason)
                continue
            }
            report.style = usable[0].style
            report.targets = usable.map(\.targetName).reduce(into: []) { if !$0.contains($1) { $0.append($1) } }
            return Choice(report: report, programs: usable)
        }
        return Choice(report: report, programs: [])
    }

    /// The programs that do these operations by tracepoints, or why not.
    mutating func fileTracepoints(_ operations: UInt32, banned: [String: String]) -> ([Program], [HookReport.Refusal]) {
        var refusals: [HookReport.Refusal] = []
        for program in Hook.fileTracepoints {
            if let why = refusal(of: program, banned: banned) { refusals.append(.init(style: .tracepoint, target: program.targetName, reason: why)) }
        }
        return (refusals.isEmpty ? Hook.fileTracepoints : [], refusals)
    }
}
