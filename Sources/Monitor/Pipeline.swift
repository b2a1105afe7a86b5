internal import Attribution
internal import Configuration
internal import Events
internal import Filters
internal import Glibc
internal import KernelABI
internal import Probes
internal import Redaction
internal import Rings

/// From the rings to the sink: one consumer, one thread.
final class Pipeline {
    let probes: Probes
    let watch: WatchSet?
    private var drain: OrderedDrain
    private var handler: RecordHandler
    private var misses = MissTracker()
    private var throttles: ThrottleTracker
    private var throttlesAt: UInt64 = 0
    private let window: UInt64
    private let reorderWindow: UInt64
    private let redactor: Redactor?
    /// Kinds that become events.
    private let shown: RecordKinds
    /// Set while the canary acts: its events are taken out of the stream.
    var canary: Canary?

    private var toldLost: UInt64 = 0
    private var saidBusy = false
    private var accountsAt: UInt64 = 0
    private var recordsSinceAccounts = false
    private var nextAppearance: UInt64 = 0
    /// When the processes that there are are next compared with those that are known; sooner where records of theirs were lost.
    private var processesAt: UInt64
    private var isProcessLost = false
    private var saidProblems: Set<String> = []
    private var saidPatterns: UInt64 = 0

    private static let processesEvery: UInt64 = 300_000_000_000
    private static let processesAtMost: UInt64 = 10_000_000_000
    private static let ofProcesses: RecordKinds = [
        RecordKinds(kind: HV_KIND_EXEC.rawValue), RecordKinds(kind: HV_KIND_FORK.rawValue), RecordKinds(kind: HV_KIND_EXIT.rawValue),
    ]
    /// Of each ring, before what came out of it is written.
    private static let budget = DrainBudget(records: 4096, bytes: 1 << 20)
    /// Budgets before the caller looks at signals and the time again, however fast the producers are.
    private static let rounds = 32
    /// How long an operation waits for its result.
    private static let resultWait: UInt64 = 1_000_000_000
    /// Between two looks at the kernel's accounts: while records come, and while none do.
    private static let accountsEvery: UInt64 = 100_000_000
    private static let idleAccountsEvery: UInt64 = 1_000_000_000

    init(probes: Probes, watch: WatchSet?, sink: consuming EventSink, redactor: Redactor?, _ settings: Settings) throws(ProbeError) {
        self.probes = probes
        self.watch = watch
        window = settings.consumerOrderWindow.nanoseconds
        reorderWindow = settings.consumerReorderWindow.nanoseconds
        shown = RecordKinds(shownBy: probes.demand)
        self.redactor = redactor
        let attached = Clock.boot
        processesAt = attached + Self.processesEvery
        drain = OrderedDrain(rings: probes.maps.rings.count, notesPerRing: 8192)
        for index in probes.maps.rings.indices {
            let size = index == 0 ? probes.demand.prioritySize : probes.demand.bulkSize
            drain.add(try probes.maps.reader(ring: index, size: size))
        }
        throttles = ThrottleTracker(attached: attached)
        handler = RecordHandler(
            losses: LossTracker(rings: probes.maps.rings.count, cpus: probes.cpus, attached: attached, window: reorderWindow),
            output: EventOutput(
                sink: sink, watch: watch, attributor: probes.demand.attribution ? Attributor(settings) : nil, shown: shown,
                wait: settings.attributionWait.nanoseconds,
                filter: settings.eventsFilter.map { Filter($0) }),
            redactor: redactor)
        let programs = probes.programs
        for program in programs { misses.add(program: program.id, kind: program.kind, attached: attached) }
        saidProblems = Set(watch?.problems.map(\.path) ?? [])
    }

    /// Drains what is ready, writes it out, and keeps the accounts.
    ///
    /// - Parameter flush: take everything, whatever its age.
    /// - Returns: records taken, and whether some are waiting for their turn (`waiting`) or for the next call (`more`).
    func step(flush: Bool = false) -> (records: Int, waiting: Bool, more: Bool) {
        var records = 0
        var more = false
        handler.output.refresh()
        for _ in 0..<Self.rounds {
            let summary = Self.take(&drain, &handler, window: drain.isPressed ? 0 : window, flush: flush, canary)
            records += summary.records
            if summary.records > 0 { recordsSinceAccounts = true }
            note(summary)
            more = summary.moreWork && failure == nil
            guard more else { break }
            // What came out is on its way before more is taken: output lags by one budget at most.
            self.flush()
            keepAccounts(force: false)
        }
        handler.output.begin(at: Clock.boot)
        handler.output.release(all: flush || drain.isPressed)
        keepAccounts(force: flush)
        keepWatch()
        tellPatterns()
        self.flush()
        return (records, handler.output.isHolding || (0..<drain.ringCount).contains { drain.fill(ring: $0) > 0 }, more)
    }

    /// The last account: everything that was numbered arrived, or is told as lost.
    func finish() {
        // What was numbered by now is drained; what is produced meanwhile, by programs that are still attached, is not waited for.
        for _ in 0..<64 where step(flush: true).more {}
        // Once more: what was skipped is set against what was taken over since.
        keepAccounts(force: true)
        handler.expire(before: .max)
        handler.output.release(all: true)
        reconcile()
        for loss in handler.losses.finish() { tell(loss) }
        flush()
    }

    /// One drain. The drain and what it hands to are lent as wholes, for the time of it.
    private static func take(_ drain: inout OrderedDrain, _ handler: inout RecordHandler, window: UInt64, flush: Bool, _ canary: Canary?)
        -> OrderedDrainSummary
    {
        let now = Clock.boot
        handler.now = now
        return drain.drain(now: now, window: window, budget: budget, flush: flush) { record, ring in
            handler.handle(record, ring: ring, canary: canary)
        }
    }

    /// Processes that were there before the programs: all that start from now on are seen to.
    func takeOverProcesses() {
        guard let records = probes.processes() else { return }
        handler.output.attributor?.fill(records.span.bytes) { [redactor] in redactor.masked($0) }
    }

    /// Takes out those that are gone without a record of it, which may have been lost, and takes in those that came without one.
    private func lookAtProcesses(now: UInt64) {
        processesAt = now + Self.processesEvery
        isProcessLost = false
        guard handler.output.attributor != nil, let records = probes.processes() else { return }
        handler.output.attributor?.reconcile(records.span.bytes, at: now) { [redactor] in redactor.masked($0) }
    }

    func say(_ detail: MonitorEvent.Detail) {
        if case .lost(let loss) = detail { toldLost += loss.count ?? 0 }
        handler.output.sink.write(detail, time: Clock.boot)
    }

    func flush() { handler.output.sink.flush() }

    /// The errno that ended the output.
    var failure: Int32? { handler.output.sink.failure }

    var events: UInt64 { handler.output.events }

    /// What the filter left out, where there is one.
    var filtered: UInt64? { handler.output.filtered }

    /// What was told as lost, without what came after all.
    var lost: UInt64 { toldLost - min(toldLost, handler.recovered) }

    // MARK: accounts

    private func note(_ summary: OrderedDrainSummary) {
        if summary.malformed > 0 || summary.corruptBytes > 0 {
            handler.malformed += UInt64(summary.malformed)
            say(
                .degraded(
                    subject: "rings", reason: "\(summary.malformed) malformed records and \(summary.corruptBytes) unreadable bytes were skipped"))
        }
        if summary.busyFor > reorderWindow {
            if !saidBusy { say(.degraded(subject: "rings", reason: "the head of a ring has been busy for more than the reorder window; what is behind it waits")) }
            saidBusy = true
        } else if summary.busyRings == 0 {
            saidBusy = false
        }
    }

    private func keepAccounts(force: Bool) {
        let time = Clock.boot
        let due = accountsAt + (recordsSinceAccounts ? Self.accountsEvery : Self.idleAccountsEvery)
        guard force || time >= due else { return }
        accountsAt = time
        recordsSinceAccounts = false
        reconcile()
        for ring in 0..<drain.ringCount {
            for loss in handler.losses.expire(ring: ring, drainedTo: drain.drainedTo(ring: ring)) { tell(loss) }
        }
        probes.misses { program, count in
            guard let miss = misses.update(program: program.id, misses: count, now: time) else { return }
            if program.forgets { watch?.forgetVerdicts() }
            if !Self.kinds(named: program.kind).isDisjoint(with: Self.ofProcesses) { isProcessLost = true }
            if program.losesEvents {
                say(
                    .lost(
                        Events.Loss(
                            count: program.uncertain ? nil : miss.count, cpu: nil, ring: nil, from: miss.from, to: miss.to, kinds: Self.kinds(named: program.kind),
                            reason: "the kernel skipped the program on \(program.target): another task was preempted inside it"
                                + (program.uncertain ? "; whether that was about an event can't be known" : ""))))
            }
        }
        if force || time >= throttlesAt + Self.idleAccountsEvery {
            throttlesAt = time
            tellThrottled(now: time)
        }
        if time > Self.resultWait { handler.expire(before: time - Self.resultWait) }
        handler.output.attributor?.expire(now: time)
        if time >= processesAt || isProcessLost && time >= processesAt - Self.processesEvery + Self.processesAtMost { lookAtProcesses(now: time) }
    }

    /// Brings the watch set in line with what names lead to now, where that has changed.
    private func keepWatch() {
        guard let watch else { return }
        let time = Clock.boot
        if time >= nextAppearance {
            nextAppearance = time + Self.idleAccountsEvery
            _ = watch.somethingAppeared()
        }
        guard watch.isDue(now: time) else { return }
        watch.resolve()
        probes.attend(types: watch.fileSystems.map(\.type), layers: watch.holdsLayers)
        for change in watch.takeChanges() { say(.degraded(subject: String(decoding: change.path, as: UTF8.self), reason: change.text)) }
        for problem in watch.problems where saidProblems.count < 256 && saidProblems.insert(problem.path).inserted {
            say(.degraded(subject: problem.path, reason: "not watched: \(problem.reason)"))
        }
    }

    /// Says once of each pattern that it takes too long.
    private func tellPatterns() {
        let new = handler.scratch.takeUnsettled() & ~saidPatterns
        guard new != 0 else { return }
        saidPatterns |= new
        for index in 0..<64 where new & 1 << UInt64(index) != 0 {
            let which = index < 63 ? "\(index + 1)" : "\(index + 1) or a later one"
            say(
                .degraded(
                    subject: "redaction.patterns",
                    reason: "pattern \(which) took too many steps or too much memory; the arguments that it could not settle are masked whole"))
        }
    }

    private func reconcile() {
        let time = Clock.boot
        for ring in 0..<drain.ringCount {
            for cpu in 0..<probes.cpus {
                let counter = probes.maps.counter(ring: ring, cpu: cpu)
                if counter.sequence > 0 { handler.losses.reconcile(ring: ring, cpu: cpu, counter: counter, now: time) }
            }
        }
    }

    /// What the kernel side suppressed since the last look, a loss for each cgroup and kind.
    private func tellThrottled(now: UInt64) {
        let throttled = probes.throttled
        guard throttles.isDue(throttled: throttled) else { return }
        throttles.begin(throttled: throttled, now: now)
        probes.maps.readTenants(now: now) { cgroup, tenant in
            for one in throttles.update(cgroup: cgroup, tenant) {
                say(
                    .lost(
                        Events.Loss(
                            count: one.count, cpu: nil, ring: nil, from: one.from, to: one.to, kinds: [RecordKinds(kind: one.kind), .throttled],
                            cgroup: one.cgroup, reason: "cgroup \(one.cgroup) caused more events than limits.tenant_rate lets it")))
            }
        } forgotten: {
            throttles.forget(cgroup: $0)
        }
    }

    private func tell(_ loss: Rings.Loss) {
        // A result that was lost costs no event: its operation is told with an unknown outcome. What is only looked at is told without a count:
        // no event is missing, but of some the parents or the tenant may be.
        var kinds: RecordKinds = [], unseen: RecordKinds = []
        var others: UInt64 = 0
        for (kind, count) in loss.kinds.enumerated() where count > 0 {
            let one = RecordKinds(kind: UInt32(kind))
            guard !shown.contains(one) else {
                kinds.insert(one)
                continue
            }
            others += count
            if kind != Int(HV_KIND_RESULT.rawValue) { unseen.insert(one) }
        }
        if !kinds.union(unseen).isDisjoint(with: Self.ofProcesses) { isProcessLost = true }
        if !unseen.isEmpty {
            say(
                .lost(
                    Events.Loss(
                        count: nil, cpu: UInt32(loss.cpu), ring: UInt32(loss.ring), from: loss.from, to: loss.to, kinds: unseen,
                        reason: "the ring was full; no event is missing, but parents or tenants of later ones may be")))
        }
        guard loss.count > others else { return }
        say(
            .lost(
                Events.Loss(
                    count: loss.count - others, cpu: UInt32(loss.cpu), ring: UInt32(loss.ring), from: loss.from, to: loss.to, kinds: kinds,
                    reason: "the ring was full, or no room to build the record was free")))
    }

    private static func kinds(named name: String) -> RecordKinds {
        switch name {
        case "exec": RecordKinds(kind: HV_KIND_EXEC.rawValue)
        case "fork": RecordKinds(kind: HV_KIND_FORK.rawValue)
        case "exit": RecordKinds(kind: HV_KIND_EXIT.rawValue)
        case "file": RecordKinds(kind: HV_KIND_FILE.rawValue)
        case "module": RecordKinds(kind: HV_KIND_MODULE.rawValue)
        case "cgroup": RecordKinds(kind: HV_KIND_CGROUP.rawValue)
        case "namespace": RecordKinds(kind: HV_KIND_NAMESPACE.rawValue)
        default: []
        }
    }
}

extension RecordKinds {
    /// Those of which events are made.
    init(shownBy demand: Demand) { self.init(rawValue: demand.shownKinds) }
}

extension Attributor {
    init(_ settings: Settings) {
        let users = Users(wait: settings.attributionWait.nanoseconds, names: settings.attributionNames)
        let identity = users.identity
        var limits = HashLimits()
        limits.enabled = settings.attributionHash != .none
        limits.remote = settings.attributionHash == .all
        limits.rate = settings.attributionHashRate
        limits.largest = settings.attributionHashMax
        self.init(
            ProcessTable.Limits(
                processes: settings.attributionProcesses, ancestors: settings.attributionAncestors, arguments: settings.attributionArguments),
            host: Namespaces(mount: identity.mountNamespace, pid: Host.pidNamespace, user: identity.userNamespace), users: users,
            hashes: settings.attributionHash == .none ? nil : FileHashes(limits),
            packages: settings.attributionPackages == .none ? nil : Packages(),
            tenants: Tenants(programs: MachinePrograms(configured: settings.attributionVmms)))
    }
}

extension Redactor? {
    /// Arguments, each ended by a NUL, without their secrets.
    fileprivate func masked(_ arguments: [UInt8]) -> [UInt8] {
        guard let self else { return arguments }
        var scratch = RedactionScratch(self)
        return self.redact(arguments: arguments.span.bytes, into: &scratch) == 0 ? arguments : scratch.bytes.withUnsafeBytes { Array($0) }
    }
}
