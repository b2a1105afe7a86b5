package import FilterLanguage

/// The one table of all keys. A property here is all that a key needs: files, the command line, `config show`, the reference documentation and
/// `Settings` (where it is a property of the same name) take it from here.
package struct Keys: Sendable {
    // MARK: capture

    package let captureOnly = Key(
        "capture.only", .words(atLeast: 1), default: CaptureKind.allCases,
        """
        What to capture: exec (processes), file (changes on watched files), module (kernel modules). Only what is named is loaded into the kernel.
        """)
    package let captureBackend = Key(
        "capture.backend", .word(), default: Backend.auto,
        """
        Style of attachment. auto tries fentry and LSM programs hook by hook and falls back to tracepoints where the kernel refuses them; fentry and \
        tracepoint use that style alone. Tracepoints see less of files, and for files they slow down every system call of the machine.
        """)

    // MARK: processes

    package let processesActions = Key(
        "processes.actions", .words(), default: [ProcessAction.exec, .exit, .namespaceChange],
        """
        Which acts of processes become events. What is not named is still used to know who is whose parent.
        """)
    package let processesFailed = Key(
        "processes.failed", .word(), default: FailedExecs.known,
        """
        Which failed execs become events: none; known, all but those that failed with ENOENT, which every search of PATH makes once for each folder \
        without the program; all.
        """)

    // MARK: events

    package let eventsFilter = Key(
        "events.filter", .filter(), default: nil,
        """
        Only events that this condition holds for are told, as in process.name == "sshd" and not file.path startswith "/var/log"; the language is in \
        docs/filters.md. What it leaves out is counted, and is not lost. Empty: all.
        """)

    // MARK: files

    package let filesWatch = Key(
        "files.watch", .watchEntries(), default: [],
        """
        Trees and single files whose changes become events, beside those of files.profiles. An entry is a path or a pattern, or \
        {path: PATH, actions: [ACTION, ...]} to have only some actions of it as events. In a pattern, * and ? match within a name, [a-z] one character, \
        {a,b} either, and ** any number of folders; what a pattern matches is watched with all below it. A backslash takes the next character as it is. \
        Names that don't exist yet are waited for.
        """)
    package let filesIgnore = Key(
        "files.ignore", .watchEntries(withActions: false), default: [],
        """
        Trees, single files and patterns below watched trees that are not watched. The nearest entry above a file decides.
        """)
    package let filesProfiles = Key(
        "files.profiles", .profiles(), default: .automatic,
        """
        Built-in lists of what matters on a server. auto: each whose mechanism is installed here (config show lists them, with why and with their paths); \
        none; or a list of names, which are watched whether they are installed or not.
        """)
    package let filesReportEvery = Key(
        "files.report_every", .duration(.seconds(1)...(.seconds(86_400))), default: .seconds(30),
        """
        A handle that stays open and goes on writing gives at most one event in this time, after the first.
        """)

    package let filesDetail = Key(
        "files.detail", .word(), default: FilesDetail.summary,
        """
        How closely writes are told. summary: the first change through a handle, and the totals at its close; bytes: these with the bytes written so far; \
        every-write: each write call as an event of its own, with its bytes and where in the file they lie, beside the totals. The finer two attach more \
        hooks, which every write of the machine pays for.
        """)

    // MARK: attribution

    package let attributionProcesses = Key(
        "attribution.processes", .whole(0...1_000_000), default: 65_536,
        """
        Most processes that are known at a time, ended ones that others descend from among them. When they are used up, those that ended longest ago are \
        forgotten. Each takes 200 bytes, and each program that runs its path and its arguments, up to attribution.arguments. 0: none are followed; then \
        events name only what the kernel tells with them, and no parents but the first.
        """)
    package let attributionAncestors = Key(
        "attribution.ancestors", .whole(0...256), default: 8,
        """
        How many of a process's parents, their parents and so on events name.
        """)
    package let attributionArguments = Key(
        "attribution.arguments", .whole(0...32_768), default: 512,
        """
        How many bytes of a process's arguments are kept, for later events of it and of what descends from it.
        """)

    package let attributionWait = Key(
        "attribution.wait", .duration(.zero...(.seconds(1))), default: .milliseconds(50),
        """
        How long an event waits at most for what is still to be found out of its process: names of users, a hash, a package. Then it goes without. Order \
        is kept: what comes behind it waits with it.
        """)
    package let attributionNames = Key(
        "attribution.names", .whole(64...1_000_000), default: 4_096,
        """
        Most users and groups of the host whose names are kept beside those in /etc/passwd and /etc/group, which are always known. One more makes room \
        for itself by the one that was not needed for longest.
        """)
    package let attributionHash = Key(
        "attribution.hash", .word(), default: HashedFiles.local,
        """
        Which executables and module files are hashed (SHA-256), once each as long as they don't change: none; local, those on file systems of this \
        machine's kernel; all, also those on FUSE, NFS and other file systems that others answer for: hashing ends if one of them does not answer.
        """)
    package let attributionHashRate = Key(
        "attribution.hash_rate", .bytes((64 << 10)...(16 << 30)), default: 64 << 20,
        """
        Most bytes a second that are read for hashes. What is not used of a second may be used in the next.
        """)
    package let attributionHashMax = Key(
        "attribution.hash_max", .bytes((64 << 10)...(64 << 30)), default: 256 << 20,
        """
        Largest file that is hashed.
        """)
    package let attributionPackages = Key(
        "attribution.packages", .word(), default: PackageLookup.host,
        """
        host: the package that owns an executable, by the host's dpkg and rpm databases, and for executables of the host only. rpm's is read by running \
        rpm each time that it has changed. none: no packages.
        """)
    package let attributionVmms = Key(
        "attribution.vmms", .paths(), default: [],
        """
        Executables of virtual machine monitors beside those where packages put QEMU, Firecracker (and its jailer) and Cloud Hypervisor. A process is a \
        virtual machine by the inode of what it executes, so a copy elsewhere is none unless it is named here. firecracker..., jailer... and \
        cloud-hypervisor... are taken for those by their names, all others for QEMU.
        """)

    // MARK: rings

    package let ringsBulkSize = Key(
        "rings.bulk_size", .ringSize(RingPlan.sizes, orAutomatic: true), default: 0,
        """
        Size of each bulk ring, through which all but the rare, precious events go. 0: automatic, 8MiB in all divided by the number of bulk rings, \
        rounded down to a power of two. Resident memory counts a ring twice.
        """)
    package let ringsBulkCount = Key(
        "rings.bulk_count", .whole(0...15), default: 0,
        """
        Number of bulk rings. 0: automatic, one for each CPU, at most 8.
        """)
    package let ringsPrioritySize = Key(
        "rings.priority_size", .ringSize(RingPlan.sizes), default: 512 << 10,
        """
        Size of the priority ring, which floods of file and process events can't fill: kernel modules go through it.
        """)
    package let ringsWakeAt = Key(
        "rings.wake_at", .percent(1...90), default: 25,
        """
        How full a bulk ring is when the kernel wakes the consumer before its timer does.
        """)

    // MARK: consumer

    package let consumerInterval = Key(
        "consumer.interval", .duration(.milliseconds(1)...(.seconds(1))), default: .milliseconds(20),
        """
        Time between two drains of the rings while events come. Longer costs less CPU and shows events later.
        """)
    package let consumerIdleInterval = Key(
        "consumer.idle_interval", .duration(.milliseconds(1)...(.milliseconds(90))), default: .milliseconds(50),
        """
        Time between two drains of the rings while nothing comes. The limit lets a lone event be seen within 100ms.
        """)
    package let consumerOrderWindow = Key(
        "consumer.order_window", .duration(.zero...(.milliseconds(500))), default: .milliseconds(10),
        """
        Events of several rings are put in order of time over this window. An event is held back no longer than this; 0 gives each ring's own order.
        """)
    package let consumerReorderWindow = Key(
        "consumer.reorder_window", .duration(.milliseconds(1)...(.seconds(10))), default: .milliseconds(500),
        """
        How late an event may come, by its sequence number, before it is reported lost. Preemptible kernels reorder.
        """)

    // MARK: redaction

    package let redactionEnabled = Key(
        "redaction.enabled", .toggle(), default: true,
        """
        Masks secrets in arguments, and wherever they are copied to, before anything else sees them: values of options, variables and fields whose names \
        end as a secret's (password, token, secret, api-key, ...), passwords in URLs, tokens and keys that are known by their form, and the short options \
        for passwords of well-known programs. An event tells how many were masked in hypervigil.redacted.
        """)
    package let redactionNames = Key(
        "redaction.names", .secretNames(), default: [],
        """
        More names of secrets. Upper and lower case are the same, and so are - and _. A name also counts at the end of a longer one, where a word begins: \
        sesame is found in --sesame X, OPEN_SESAME=X and "open-sesame": "X".
        """)
    package let redactionKeep = Key(
        "redaction.keep", .secretNames(), default: [],
        """
        Whole names of options and variables that hold no secret, though they look like it; they go before all other names. Of a name with dots the part \
        behind the last one will do.
        """)
    package let redactionPatterns = Key(
        "redaction.patterns", .secretPatterns(), default: [],
        """
        Regular expressions (PCRE2, over bytes) for secrets of another form, as {literal: TEXT, regex: EXPRESSION}. Each is tried on the arguments, one by \
        one, in which its literal occurs (upper and lower case the same, - and _ too); what its first group matches is masked, or all of its match if it has no group. \
        An expression that takes too many steps has the whole argument masked, which is told once as degraded.
        """)

    // MARK: limits

    package let limitsWatches = Key(
        "limits.watches", .whole(1...1_000_000), default: 16_384,
        """
        Most inodes with a watch entry of their own: watched and ignored paths, mounts below them, watched files with more than one hard link.
        """)
    package let limitsHandles = Key(
        "limits.handles", .whole(1...1_000_000), default: 16_384,
        """
        Most open handles whose writes are counted at a time. A write through one more has its first event, and none with totals.
        """)
    package let limitsVerdicts = Key(
        "limits.verdicts", .whole(1...1_000_000), default: 16_384,
        """
        Most inodes for which it is remembered whether they are watched, rounded up to a power of two. One that made room for another costs a walk up its \
        folders when it is used again.
        """)
    package let limitsTenantRate = Key(
        "limits.tenant_rate", .whole(0...1_000_000), default: 0,
        """
        Most events a second that one cgroup may cause, of processes and files together, before the kernel side suppresses them, so that one that floods \
        does not cost others theirs (20000 is far above what an honest container causes). Suppressed events are told as lost, by cgroup and kind, to the \
        last one. Kernel modules are never suppressed. 0: no limit, nothing is suppressed.
        """)
    package let limitsTenantBurst = Key(
        "limits.tenant_burst", .duration(.milliseconds(100)...(.seconds(3600))), default: .seconds(2),
        """
        For how long a cgroup that was quiet may go on at any rate: it has the events of this time in hand.
        """)
    package let limitsTenants = Key(
        "limits.tenants", .whole(1...1_000_000), default: 4_096,
        """
        Most cgroups whose rates are kept. When they are nearly used up those that have been quiet for a minute make room; one more is not limited.
        """)
}

package enum CaptureKind: String, CaseIterable, Sendable { case exec, file, module }
package enum Backend: String, CaseIterable, Sendable { case auto, fentry, tracepoint }
package enum ProcessAction: String, CaseIterable, Sendable {
    case exec, fork, exit
    case namespaceChange = "namespace-change"
}
package enum FilesDetail: String, CaseIterable, Sendable {
    case summary, bytes
    case everyWrite = "every-write"
}
package enum HashedFiles: String, CaseIterable, Sendable { case none, local, all }
package enum PackageLookup: String, CaseIterable, Sendable { case none, host }
package enum FailedExecs: String, CaseIterable, Sendable { case none, known, all }

extension Keys {
    static let table = Keys()
    /// Every key, in the order of the table: the properties of `Keys`, none of which has to be named a second time for it.
    static let all: [any AnyKey] = Mirror(reflecting: table).children.compactMap { $0.value as? any AnyKey }
    static let sections: [String] = all.map { String($0.section) }.reduce(into: []) { if !$0.contains($1) { $0.append($1) } }

    static func named(_ name: String) -> (any AnyKey)? { all.first { $0.name == name } }

    /// The valid key nearest to one that is not; `section` is empty for a name at the top level. A key that stands in the wrong section, or in none,
    /// is nearest to itself in its own.
    static func nearest(to name: String, section: String) -> String {
        let wrong = section.isEmpty ? name : "\(section).\(name)"
        func distance(_ candidate: String, _ leaf: Substring) -> Int { min(editDistance(wrong, candidate), editDistance(name, leaf) + 1) }
        let keys = all.map { (name: $0.name, distance: distance($0.name, $0.leaf)) }
        let whole = section.isEmpty ? sections.map { (name: $0, distance: editDistance(wrong, $0)) } : []
        // Neither is empty at once; the table has keys.
        return (whole + keys).min { $0.distance < $1.distance }?.name ?? ""
    }
}
