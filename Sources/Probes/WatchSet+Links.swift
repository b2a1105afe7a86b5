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
        for link in found where entries[link.key] == nil {
            let hasGeneration = link.key.generation != 0
            // Where inodes have no generation, an entry of one that is gone would be the next one's of its number. What the kernel has made
            // since it sees to itself.
            guard hasGeneration || isThere(link) else { continue }
            let done = update(link.key, self.link(link.item), flags: UInt64(hasGeneration ? BPF_ANY : BPF_NOEXIST))
            if hasGeneration, !done, !problems.contains(where: { $0.path == "hard links" }) {
                problems.append(("hard links", "the table of watch entries is full; raise limits.watches"))
            }
            if done, !hasGeneration, !isThere(link) {
                var record = link.key.record
                bpf_map_delete_elem(maps.watches, &record)
            }
        }
    }

    private func isThere(_ link: LinkScan.Found) -> Bool { FoundName(link.path)?.isSame(link.name) ?? false }

    /// The kernel made an entry for a file with its folder's number; from now on this one decides, whatever its names. It is gone where the
    /// file's last name is (`HV_WATCH_LINKED`), and not made anew: nothing of it is remembered here.
    func settleLink(_ key: InodeKey, item: Int) {
        if entries[key] == nil { _ = update(key, link(item), flags: UInt64(BPF_EXIST)) }
    }

    private func link(_ item: Int) -> Entry {
        var entry = tree(item)
        entry.policy |= UInt32(HV_WATCH_LINKED)
        return entry
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
