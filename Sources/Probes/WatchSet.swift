internal import CLibbpf
internal import Glibc
package import KernelABI

/// The watched trees, as entries by inode in the kernel's map, kept in line with what the names lead to. No handle stays open on them:
/// one would block an umount. For one thread, but for the scan of hard links.
package final class WatchSet {
    package private(set) var mounts = MountTable()
    /// What could not be watched, and why.
    package internal(set) var problems: [(path: String, reason: String)] = []
    /// One existing directory on each watched file system, with its type: where the canary acts.
    package private(set) var fileSystems: [(device: UInt32, type: String, mountPoint: String)] = []
    /// Counts what was settled: what was made of an earlier one may be wrong.
    package private(set) var generation: UInt64 = 0
    /// Duration of the last `resolve`, and the longest, ns.
    package private(set) var resolveTime: (last: UInt64, longest: UInt64) = (0, 0)

    let maps: (watches: Int32, epoch: Int32, overlays: Int32, canary: Int32, identities: OpaquePointer)
    let identities: Identities?
    let links: LinkScan?
    var plan: WatchPlan
    var entries: [InodeKey: Entry] = [:]
    /// Keys of paths that have one, for as long as the object is the same.
    private var keys: [[UInt8]: (found: FoundName, key: InodeKey)] = [:]
    private var itemKeys: [InodeKey?]
    /// Objects that lost their name, or lie under a mount, by item: what they hold is watched on.
    private var kept: [Int: InodeKey] = [:]
    private var namespaces = MountNamespaces()
    private var changes: [WatchChange] = []
    var canary: InodeKey?

    private var touched: [[UInt8]] = []
    var scanNext: [[UInt8]] = []
    private var everything = true
    private var mountsChanged = true
    private var mountingProcesses: Set<UInt32> = []
    private var notBefore: UInt64 = 0
    private var surveyAt: UInt64 = 0
    private var surveys = 0
    private var verifyNext = 0
    /// Readable in the sense of POLLPRI when the host's mounts have changed (fs/proc_namespace.c, mounts_poll).
    private let mountsHandle: Int32

    struct Entry: Equatable {
        var policy: UInt32
        var entry: UInt32
    }

    /// Touched names that are kept apart; more of them, and everything is looked at.
    private static let mostTouched = 64
    private static let mostKept = 1024
    /// Watched names that are compared with the file system at each `somethingAppeared`: of 50,000 each once in a quarter of an hour, for less
    /// than a thousandth of a CPU.
    private static let verified = 64
    /// Between two looks at all mount namespaces, ns.
    private static let surveyEvery: UInt64 = 60_000_000_000
    /// Looks at the namespaces between two readings of those that are known, of which mount events tell where the kernel sends them.
    private static let surveysToRead = 5

    /// - Returns: nil where the file programs are not loaded.
    package init?(_ probes: Probes, _ items: [WatchItem]) {
        guard let maps = probes.fileObjectMaps else { return nil }
        self.maps = maps
        identities = Identities(maps.identities)
        links = identities.map { identities in LinkScan { identities.of($0) } }
        plan = WatchPlan(items)
        itemKeys = items.map { _ in nil }
        mountsHandle = open("/proc/1/mountinfo", O_RDONLY | O_CLOEXEC)
    }

    deinit {
        links?.stop()
        if mountsHandle >= 0 { close(mountsHandle) }
    }

    /// The watched names.
    package var paths: WatchPaths { plan.names }

    /// Whether this path is watched by name, with this action (enum hv_file_action) wanted.
    package func wants(_ path: [UInt8], action: UInt32) -> Bool { plan.names.wants(path, action: action) }

    /// Watched paths that don't exist (yet); patterns are never missing.
    package var missing: [String] {
        plan.items.indices.filter { plan.items[$0].watched && plan.states[$0].found == nil && !Glob.isPattern(plan.items[$0].path) }
            .map { String(decoding: plan.items[$0].path, as: UTF8.self) }
    }

    /// Whether names in this folder lead to watched ones.
    package func matters(folder: [UInt8]) -> Bool { plan.lookedIn.contains(folder) || plan.listed.contains(folder) }

    /// Whether a mount there turns a watched name elsewhere.
    package func isOnTheWay(_ path: [UInt8]) -> Bool { plan.looked.contains(path) }

    // MARK: what happens

    /// Takes note of a change that may turn watched names elsewhere.
    ///
    /// - Parameters:
    ///   - action: enum hv_file_action.
    ///   - path, target: the host's; `target` is the new name of a rename or a link, else empty.
    ///   - object: what was acted on.
    ///   - process: who did it; of a mount act, whose mount namespace has changed.
    /// - Returns: whether names have to be looked at: `resolve()` when `isDue`.
    @discardableResult
    package func note(action: UInt32, path: [UInt8], target: [UInt8], object: hv_object, process: UInt32) -> Bool {
        switch action {
        case HV_FILE_MOUNT.rawValue, HV_FILE_UMOUNT.rawValue:
            mountsChanged = true
            mountingProcesses.insert(process)
            touch(path)
        case HV_FILE_LINK.rawValue:
            if let decision = plan.names.decide(path) ?? plan.names.decide(target), decision.watched {
                settleLink(InodeKey(hv_inode_key(inode: object.inode, device: object.device, generation: object.generation)), item: decision.item)
            }
            fallthrough
        case HV_FILE_CREATE.rawValue, HV_FILE_RENAME.rawValue, HV_FILE_DELETE.rawValue, HV_FILE_SYMLINK.rawValue, HV_FILE_MKDIR.rawValue,
            HV_FILE_RMDIR.rawValue, HV_FILE_MKNOD.rawValue:
            if isRelevant(path) { touch(path) }
            if !target.isEmpty && isRelevant(target) { touch(target) }
            // The tracepoint style does not tell what it was.
            if action == HV_FILE_RENAME.rawValue, object.mode & S_IFMT == S_IFDIR || object.links != 1, plan.names.contains(target),
                scanNext.count < Self.mostTouched
            {
                scanNext.append(target)
            }
        default: return false
        }
        return isPending
    }

    private func isRelevant(_ path: [UInt8]) -> Bool {
        if plan.looked.contains(path) { return true }
        return plan.listed.count > 0 && plan.listed.contains(NameWalk.parent(of: path))
    }

    private func touch(_ path: [UInt8]) {
        if touched.count < Self.mostTouched { if !touched.contains(path) { touched.append(path) } } else { everything = true }
    }

    private var isPending: Bool { everything || mountsChanged || !touched.isEmpty }

    /// Whether it is time to resolve again: something is known to have changed, and the last time is long enough ago for what it cost.
    ///
    /// - Parameter now: CLOCK_BOOTTIME, ns.
    package func isDue(now: UInt64) -> Bool {
        if mountsHandle >= 0 && !mountsChanged {
            var poll = pollfd(fd: mountsHandle, events: Int16(POLLPRI), revents: 0)
            if Glibc.poll(&poll, 1, 0) > 0 && poll.revents & Int16(POLLPRI) != 0 { mountsChanged = true }
        }
        if !scanNext.isEmpty { scanLinks(first: false) }
        takeLinks()
        return (isPending || now >= surveyAt) && now >= notBefore
    }

    /// Compares some of the watched names with the file system, in turn: what no event told. Once a second or so.
    ///
    /// - Returns: whether something has changed.
    package func somethingAppeared() -> Bool {
        for _ in 0..<min(Self.verified, plan.items.count) {
            verifyNext = (verifyNext + 1) % plan.items.count
            let state = plan.states[verifyNext]
            if state.indirect || state.found == nil {
                var walk = NameWalk()
                if Glob.isPattern(plan.items[verifyNext].path) { continue }
                let place = walk.follow(plan.items[verifyNext].path)
                if place.real != state.real || place.found.map({ found in state.found.map { !$0.isSame(found) } ?? true }) ?? (state.found != nil) {
                    touch(plan.items[verifyNext].path)
                }
            } else if let found = state.found, FoundName(state.real).map({ !$0.isSame(found) || $0.mount != found.mount }) ?? true {
                touch(plan.items[verifyNext].path)
            }
        }
        return isPending
    }

    /// What became of watched names since the last call.
    package func takeChanges() -> [WatchChange] {
        defer { changes = [] }
        return changes
    }

    /// Whether a record with this entry number needs its name compared (`WatchPaths`) before it counts.
    package func isRefined(entry: UInt32) -> Bool { entry != 0 && entry & 1 == 0 }

    private static func number(_ item: Int, refined: Bool) -> UInt32 { UInt32(item) * 2 + (refined ? 2 : 1) }

    // MARK: resolving

    /// Looks at the names that may have changed, at first at all, and brings the kernel's entries in line.
    package func resolve() {
        generation += 1
        let start = bootTime()
        let all = everything
        let first = surveyAt == 0
        if mountsChanged || all {
            if mountsHandle >= 0 {
                // Reading it from its start rearms the poll.
                var byte: UInt8 = 0
                pread(mountsHandle, &byte, 1, 0)
            }
            let before = mounts
            mounts = MountTable.ofHost()
            // A mount on the way to a watched name turns it elsewhere.
            if !all { (mounts.points(beyond: before) + before.points(beyond: mounts)).filter(plan.looked.contains).forEach(touch) }
        }
        let done = plan.settle(touched: all || everything ? nil : touched, mounts: mounts)
        let surveying = start >= surveyAt
        let unchanged = done.isEmpty && !mountsChanged && !all && problems.isEmpty ? namespaces.keys : nil
        if let identities, mountsChanged || surveying {
            for process in mountingProcesses.prefix(Self.mostTouched) { _ = namespaces.refresh(process: process, plan.names, mounts, identities) }
            if surveying {
                surveyAt = start + Self.surveyEvery
                surveys += 1
                namespaces.survey(plan.names, mounts, identities, again: surveys % Self.surveysToRead == 0)
            }
        }
        everything = false
        mountsChanged = false
        mountingProcesses = []
        touched = []
        // A survey that found nothing new ends here: what follows goes through all entries.
        if unchanged != namespaces.keys {
            problems = plan.problems.map { ($0.path, $0.reason) }
            apply(done, first: first)
            noteFileSystems()
        }
        scanLinks(first: first)
        // What the configuration was read with goes back: with 50,000 names some 10 MiB.
        if first { hv_trim_memory() }
        let time = max(bootTime(), start) - start
        resolveTime = (time, max(resolveTime.longest, time))
        // No more than a tenth of the time goes here, in the long run: a change is not left alone for longer than a second.
        notBefore = start + time + (first ? 0 : min(max(time * 9, 10_000_000), 1_000_000_000))
    }

    private func apply(_ done: [(item: Int, before: WatchPlan.State)], first: Bool) {
        var wanted: [[UInt8]: WatchPlan.Want] = [:]
        for state in plan.states { for (path, want) in state.wants { Self.merge(&wanted, path, want) } }
        // Ancestry ends at a file system's root: what is mounted below a watched tree has entries of its own.
        for mount in mounts.mounts where !mount.hidden {
            guard let decision = plan.names.decide(mount.point), decision.watched, let found = FoundName(mount.point) else { continue }
            let refined = plan.names.hasOtherPatterns(below: mount.point, than: decision)
            Self.merge(
                &wanted, mount.point,
                .init(policy: HV_WATCH_TREE, unwanted: decision.unwanted, item: decision.item, refined: refined, rank: 3, found: found))
        }
        for (path, found) in plan.ancestors where wanted[path] == nil {
            // In a watched tree its changes come anyway.
            if plan.names.contains(path) { continue }
            wanted[path] = .init(policy: HV_WATCH_CHILDREN, unwanted: onlyNameChanges, item: 0, refined: true, rank: 4, found: found)
        }
        findKeys(wanted)

        var fresh: [InodeKey: (entry: Entry, rank: Int)] = [:]
        for (path, want) in wanted {
            guard let key = keys[path]?.key else {
                problems.append((String(decoding: path, as: UTF8.self), "it can't be opened, or the kernel does not tell its identity"))
                continue
            }
            // In a watched tree, a folder that is an entry for a name in it must not keep other names' changes back.
            let unwanted = want.policy == HV_WATCH_CHILDREN && plan.names.contains(path) ? 0 : want.unwanted
            let entry = Entry(policy: UInt32(want.policy) | policyBits(unwanted: unwanted), entry: Self.number(want.item, refined: want.refined))
            if let known = fresh[key], known.rank <= want.rank { continue }
            fresh[key] = (entry, want.rank)
        }
        tellChanges(done, first: first)
        for (key, item) in namespaces.keys where fresh[key] == nil { fresh[key] = (tree(item), 3) }
        for (item, key) in kept where fresh[key] == nil { fresh[key] = (tree(item), 1) }
        write(fresh)
    }

    func tree(_ item: Int) -> Entry {
        Entry(policy: UInt32(HV_WATCH_TREE) | policyBits(unwanted: plan.items[item].unwanted), entry: Self.number(item, refined: false))
    }

    /// Two items, or an item and a name in it, with the same path.
    private static func merge(_ wanted: inout [[UInt8]: WatchPlan.Want], _ path: [UInt8], _ want: WatchPlan.Want) {
        guard let known = wanted[path] else {
            wanted[path] = want
            return
        }
        var both = known
        let children = (known.policy == HV_WATCH_CHILDREN, want.policy == HV_WATCH_CHILDREN)
        switch children {
        case (true, true): break
        case (false, false):
            // The later of two on the same path decides, as in `WatchPaths`; what was reached by a link or a pattern must not be lost.
            both = want
            if known.policy != want.policy {
                both.policy = HV_WATCH_TREE
                both.refined = true
            }
            both.refined = both.refined || known.refined && known.item != want.item
        default:
            // Names in a folder that is an entry itself. Below one that is ignored, names decide too.
            both = children.0 ? want : known
            both.policy = HV_WATCH_TREE
            both.refined = true
        }
        both.rank = min(known.rank, want.rank)
        both.unwanted = known.unwanted & want.unwanted
        wanted[path] = both
    }

    private func findKeys(_ wanted: [[UInt8]: WatchPlan.Want]) {
        var unknown: [[UInt8]] = []
        for (path, want) in wanted {
            if let known = keys[path], known.found.born != 0, known.found.isSame(want.found), known.found.mount == want.found.mount { continue }
            unknown.append(path)
        }
        if keys.count > wanted.count + unknown.count { keys = keys.filter { wanted[$0.key] != nil } }
        let found = identities?.of(unknown) ?? [:]
        for (index, path) in unknown.enumerated() {
            if let key = found[index], let want = wanted[path] { keys[path] = (want.found, key) } else { keys[path] = nil }
        }
    }

    private func tellChanges(_ done: [(item: Int, before: WatchPlan.State)], first: Bool) {
        for (item, before) in done where plan.items[item].watched && !Glob.isPattern(plan.items[item].path) {
            let now = plan.states[item]
            let formerKey = itemKeys[item]
            itemKeys[item] = now.found == nil ? nil : keys[now.real]?.key
            if first { continue }
            func tell(_ kind: WatchChange.Kind) { changes.append(WatchChange(path: plan.items[item].path, kind: kind)) }
            switch (before.found, now.found) {
            case (nil, nil): break
            case (nil, .some):
                // An object without its name was kept for as long as nothing else had it.
                kept[item] = nil
                tell(.appeared)
                scanNext.append(now.real)
            case (.some, nil):
                keep(item, formerKey)
                tell(.gone)
            case (.some(let old), .some(let new)):
                if old.isSame(new) && old.mount == new.mount && before.real == now.real { break }
                if old.mount != new.mount, before.real == now.real {
                    if mounts.mount(id: old.mount) != nil {
                        keep(item, formerKey)
                        tell(.covered)
                    } else {
                        kept[item] = nil
                        tell(.uncovered)
                    }
                } else {
                    kept[item] = nil
                    tell(.replaced)
                }
                scanNext.append(now.real)
            }
        }
    }

    private func keep(_ item: Int, _ key: InodeKey?) {
        if let key, kept.count < Self.mostKept || kept[item] != nil { kept[item] = key }
    }

    private func write(_ fresh: [InodeKey: (entry: Entry, rank: Int)]) {
        var changed = false
        for key in entries.keys where fresh[key] == nil {
            var gone = key.record
            bpf_map_delete_elem(maps.watches, &gone)
            entries[key] = nil
            changed = true
        }
        let news = fresh.filter { entries[$0.key] != $0.value.entry }.sorted { $0.value.rank < $1.value.rank }
        var refused = 0
        for (key, value) in news {
            if update(key, value.entry) {
                entries[key] = value.entry
                changed = true
            } else {
                refused += 1
            }
        }
        if refused > 0 { problems.append(("\(refused) of \(fresh.count) entries", "the table of watch entries is full; raise limits.watches")) }
        if changed { bumpEpoch() }
    }

    func update(_ key: InodeKey, _ entry: Entry, flags: UInt64 = 0) -> Bool {
        var record = key.record
        var watch = hv_watch(policy: entry.policy, entry: entry.entry)
        return bpf_map_update_elem(maps.watches, &record, &watch, flags) == 0
    }

    // MARK: maps

    /// What the kernel keeps of inodes is settled anew.
    package func forgetVerdicts() { bumpEpoch() }

    /// No kept verdict of the kernel's counts any more.
    func bumpEpoch() {
        var key: UInt32 = 0, epoch: UInt64 = 0
        bpf_map_lookup_elem(maps.epoch, &key, &epoch)
        // The kernel counts up by one as well; if it does just now, this is another number all the same.
        epoch &+= 1 << 32
        bpf_map_update_elem(maps.epoch, &key, &epoch, 0)
    }

    /// Whether a watched tree holds the layer that an overlay of the host's writes to, or files may be exported by nfsd.
    package var holdsLayers: Bool {
        if mounts.mounts.contains(where: { !$0.upper.isEmpty && plan.names.contains($0.upper) }) { return true }
        guard let threads = readBytes("/proc/fs/nfsd/threads") else { return false }
        return threads.contains { $0 > 0x30 && $0 <= 0x39 }
    }

    private func noteFileSystems() {
        let devices = Set(entries.filter { $0.value.policy & UInt32(HV_WATCH_TREE) != 0 }.keys.map(\.device))
        fileSystems = devices.sorted().compactMap { device in
            let shown = mounts.mounts.filter { $0.device == device && !$0.hidden }
            guard let mount = shown.first(where: { $0.root == [0x2f] }) ?? shown.first else { return nil }
            return (device, mount.type, String(decoding: mount.point, as: UTF8.self))
        }
        noteOverlays()
    }

    /// Overlays with entries that want writes, as `watch_overlays` (bpf/lib/watch.h) has them.
    private func noteOverlays() {
        let overlays = Set(mounts.mounts.lazy.filter { $0.type == "overlay" }.map(\.device))
        var key: UInt32 = 0
        var words = [UInt64](repeating: 0, count: 5)
        let unwanted = policyBits(unwanted: 1 << HV_FILE_WRITE.rawValue)
        for (inode, entry) in entries where entry.policy & unwanted == 0 && overlays.contains(inode.device) {
            words[0] = 1
            words[1 + Int(inode.device >> 6 & 3)] |= 1 << UInt64(inode.device & 63)
        }
        bpf_map_update_elem(maps.overlays, &key, &words, 0)
    }
}

func bootTime() -> UInt64 {
    var time = timespec()
    clock_gettime(CLOCK_BOOTTIME, &time)
    return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
}
