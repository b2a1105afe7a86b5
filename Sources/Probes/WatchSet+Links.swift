internal import CLibbpf
internal import KernelABI

/// Files with more than one hard link, and the canary's directory: entries that no path stands for.
extension WatchSet {
    // MARK: hard links

    func scanLinks(first: Bool) {
        guard let links else { return }
        let trees = first ? plan.states.flatMap { state in state.wants.filter { $0.want.policy == HV_WATCH_TREE }.map(\.path) } : scanNext
        scanNext = []
        // File systems that the kernel makes up have no hard links.
        let made: Set<String> = ["proc", "sysfs", "cgroup", "cgroup2", "debugfs", "tracefs", "securityfs", "bpf", "devpts", "mqueue", "configfs", "pstore", "efivarfs"]
        links.scan(trees, names: plan.names, skipping: Set(mounts.mounts.filter { made.contains($0.type) }.map(\.device)))
    }

    /// Takes over what the scan found.
    func takeLinks() {
        guard let found = links?.take() else { return }
        for link in found {
            add(link.key, item: link.item)
            // Where inodes have no generation, one that went before it had its entry would leave that to the next of its number.
            if link.key.generation == 0, FoundName(link.path).map({ !$0.isSame(link.name) }) ?? true { remove(link.key) }
        }
    }

    func link(_ item: Int) -> Entry {
        var entry = tree(item)
        entry.policy |= UInt32(HV_WATCH_LINKED)
        return entry
    }

    func add(_ key: InodeKey, item: Int) {
        linked[key] = item
        if let known = entries[key], known.entry & 1 == 1 { return }
        let entry = link(item)
        if update(key, entry) {
            entries[key] = entry
            // Files with several links have no kept verdict: no epoch goes by.
        } else if !problems.contains(where: { $0.path == "hard links" }) {
            problems.append(("hard links", "the table of watch entries is full; raise limits.watches"))
        }
    }

    /// Names looked at by the scan of hard links, files with an entry for theirs, and whether it goes on.
    package var linkScan: (names: Int, files: Int, running: Bool) {
        let progress = links?.progress ?? (scanned: 0, running: false)
        return (progress.scanned, linked.count, progress.running)
    }

    private func remove(_ key: InodeKey) {
        linked[key] = nil
        entries[key] = nil
        var record = key.record
        bpf_map_delete_elem(maps.watches, &record)
    }

    // MARK: canary

    /// Takes a directory in, with the policy bit that marks the canary's own files; `removeCanary` takes it out again.
    package func addCanary(directory: String) -> Bool {
        guard let key = identities?.of([Array(directory.utf8)])[0] else { return false }
        canary = key
        setCanaryActs(1)
        defer { bumpEpoch() }
        return update(key, Entry(policy: UInt32(HV_WATCH_TREE | HV_WATCH_CANARY), entry: 0))
    }

    package func removeCanary() {
        guard let canary else { return }
        self.canary = nil
        setCanaryActs(0)
        var key = canary.record
        bpf_map_delete_elem(maps.watches, &key)
        bumpEpoch()
    }

    /// Whether the kernel reports what this process does.
    private func setCanaryActs(_ acts: UInt64) {
        var key: UInt32 = 0, acts = acts
        bpf_map_update_elem(maps.canary, &key, &acts, 0)
    }
}
