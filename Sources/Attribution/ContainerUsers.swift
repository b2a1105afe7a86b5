package import Events
package import Rings
internal import Glibc

/// Names of users and groups where they are not the host's, out of the /etc/passwd and /etc/group beneath the actor's root directory, and ids
/// as its user namespace has them. The tenant may write there what it likes.
package struct ContainerUsers: ~Copyable {
    /// Nanoseconds.
    package struct Timing: Sendable {
        /// For how long a realm's first events may wait.
        package var wait: UInt64 = 50_000_000
        /// Between looks at a realm in use; the first come sooner, since a container is put together after its namespaces are made.
        package var refresh: UInt64 = 10_000_000_000
        /// After which what nobody confirmed is not told any more.
        package var trust: UInt64 = 60_000_000_000
        /// How long a runtime may take from a container's namespaces to its root directory.
        package var settling: UInt64 = 3_000_000_000
        /// Without an answer.
        package var retry: UInt64 = 5_000_000_000

        package init() {}
    }

    /// Whose accounts an actor's ids are.
    package enum Owner: Sendable {
        /// The host's names are right.
        case host
        /// The tenant's, or nobody's.
        case tenant
    }

    private struct Entry {
        var key = RealmKey(mountNamespace: 0, userNamespace: 0, cgroup: 0)
        var first: UInt64 = 0
        /// 0: never.
        var confirmed: UInt64 = 0
        var askAt: UInt64 = 0
        /// 0: no look is under way.
        var asked: UInt64 = 0
        /// Successful ones.
        var looks: UInt8 = 0
        var hasHostRoot = false
        var users = AccountFile.none
        var groups = AccountFile.none
        var userMap = IDMap.none
        var groupMap = IDMap.none
    }

    private struct Answer: Sendable {
        let key: RealmKey
        let realm: Realm?
    }

    /// Between looks at what is being put together.
    private static let soon: UInt64 = 20_000_000

    package let host: HostIdentity
    private let timing: Timing
    private let mostBytes: Int
    private var workers: Workers<RealmLook, Answer>
    private var index: SlotIndex
    private let entries: UnsafeMutablePointer<Entry>
    /// Lists are shared by realms that read the same file.
    private var lists: [AccountFile.Stamp: AccountFile] = [:]
    private var listBytes = 0

    /// Another one whenever an answer changed something.
    package private(set) var generation: UInt64 = 1
    /// Realms that made room for others.
    package var evictions: UInt64 { index.evictions }
    /// Files that were not kept, since all lists together would have been too large.
    package private(set) var dropped: UInt64 = 0
    package var refused: UInt64 { workers.refused }

    /// - Parameters:
    ///   - capacity: realms.
    ///   - mostBytes: of all names together.
    package init(capacity: Int = 1024, mostBytes: Int = 8 << 20, timing: Timing = Timing(), host: HostIdentity = HostIdentity()) {
        self.host = host
        self.timing = timing
        self.mostBytes = mostBytes
        index = SlotIndex(capacity: capacity)
        entries = .allocate(capacity: index.capacity)
        entries.initialize(repeating: Entry(), count: index.capacity)
        workers = Workers(name: "container-names", limit: 64, most: 4, patience: timing.retry) { look in
            Answer(key: look.key, realm: look.look(host))
        }
    }

    deinit {
        entries.deinitialize(count: index.capacity)
        entries.deallocate()
    }

    /// Settles whose accounts the actor's ids are, and for a tenant's fills in its names and inner ids.
    ///
    /// They are the host's where its user namespace is the host's, and its mount namespace is too, or is a private one with the host's root
    /// directory (as systemd makes for `PrivateTmp=` and its like), of a process that is in no tenant. Runtimes make a container's mount
    /// namespace before they change its root, which is why a tenant's process is never taken for the host's, and why the accounts beneath the
    /// host's root are nobody's in another user namespace.
    ///
    /// - Parameters:
    ///   - inTenant: its cgroup, or the process itself, is a tenant's.
    ///   - now: CLOCK_BOOTTIME, ns.
    /// - Returns: the owner, and `known` where it is certain. Bytes are valid until the next `collect`.
    @inline(__always)
    package mutating func fill(_ facts: inout ActorFacts, of actor: borrowing ActorView, inTenant: Bool, now: UInt64) -> (owner: Owner, state: NameState) {
        if actor.mountNamespace == host.mountNamespace && actor.userNamespace == host.userNamespace { return (.host, .known) }
        return fillForeign(&facts, actor, inTenant, now)
    }

    @inline(never)
    private mutating func fillForeign(
        _ facts: inout ActorFacts, _ actor: borrowing ActorView, _ inTenant: Bool, _ now: UInt64
    ) -> (owner: Owner, state: NameState) {
        let key = RealmKey(mountNamespace: actor.mountNamespace, userNamespace: actor.userNamespace, cgroup: actor.cgroup)
        // An exiting task may have left its namespaces: nothing is known of where it was.
        guard key.mountNamespace != 0, key.userNamespace != 0 else { return (.tenant, .unknown) }
        let slot: Int
        if let found = index.find(key.hash) {
            slot = found
            if entries[slot].key != key { clear(slot, key) }
        } else {
            slot = index.claim(key.hash)
            clear(slot, key)
        }
        let entry = entries + slot
        let sharesUsers = key.userNamespace == host.userNamespace
        // A container whose root was still the host's: what acts now may be behind the change of it, and waits for another look.
        let isSettling =
            entry.pointee.hasHostRoot && (inTenant || !sharesUsers) && age(now, entry.pointee.first) < timing.settling
            && age(now, entry.pointee.confirmed) >= Self.soon
        if now >= entry.pointee.askAt || (isSettling && entry.pointee.asked == 0) { request(slot, actor.pid, actor.parentPid, now) }
        guard entry.pointee.confirmed != 0 else {
            return (.tenant, entry.pointee.first != 0 && age(now, entry.pointee.first) < timing.wait ? .pending : .unknown)
        }
        guard age(now, entry.pointee.confirmed) < timing.trust else {
            clear(slot, key)
            generation &+= 1
            return (.tenant, .unknown)
        }
        if isSettling, entry.pointee.asked != 0, age(now, entry.pointee.asked) < timing.wait { return (.tenant, .pending) }
        if sharesUsers && entry.pointee.hasHostRoot { return inTenant ? (.tenant, .unknown) : (.host, .known) }
        facts.namesAreClaimed = !entry.pointee.hasHostRoot
        var state = NameState.known
        func name(_ file: AccountFile, _ map: IDMap, _ id: UInt32, inner: inout UInt32?) -> UnsafeRawBufferPointer {
            var own: UInt32? = id
            if !sharesUsers {
                own = map.inner(id)
                inner = own
            }
            if let own, let bytes = file.names[own] { return bytes }
            state = .unknown
            return ActorFacts.none
        }
        var ignored: UInt32?
        facts.userName = name(entry.pointee.users, entry.pointee.userMap, actor.uid, inner: &facts.innerUser)
        facts.effectiveUserName = name(entry.pointee.users, entry.pointee.userMap, actor.effectiveUid, inner: &ignored)
        facts.savedUserName = name(entry.pointee.users, entry.pointee.userMap, actor.savedUid, inner: &ignored)
        facts.groupName = name(entry.pointee.groups, entry.pointee.groupMap, actor.gid, inner: &facts.innerGroup)
        facts.effectiveGroupName = name(entry.pointee.groups, entry.pointee.groupMap, actor.effectiveGid, inner: &ignored)
        return (.tenant, state)
    }

    /// Forgets what a slot had. Lists live on in `lists` until the next `collect`.
    private mutating func clear(_ slot: Int, _ key: RealmKey) {
        entries[slot] = Entry(key: key)
    }

    private mutating func request(_ slot: Int, _ pid: UInt32, _ parent: UInt32, _ now: UInt64) {
        let known = entries[slot].confirmed != 0
        let look = RealmLook(
            key: entries[slot].key, processes: (pid, parent), knownUsers: known ? entries[slot].users.stamp : nil,
            knownGroups: known ? entries[slot].groups.stamp : nil)
        guard workers.ask(look, now: now) else {
            entries[slot].askAt = now &+ 100_000_000
            return
        }
        entries[slot].asked = max(now, 1)
        if entries[slot].first == 0 { entries[slot].first = max(now, 1) }
        entries[slot].askAt = now &+ timing.retry
    }

    /// Takes in what was answered. Bytes that were given out before are not valid any more.
    /// - Returns: whether anything was.
    @discardableResult
    package mutating func collect(now: UInt64) -> Bool {
        guard workers.hasAnswers else { return false }
        for answer in workers.takeAnswers(now: now) {
            guard let slot = index.peek(answer.key.hash), entries[slot].key == answer.key else { continue }
            take(answer.realm, slot, now)
        }
        purge()
        return true
    }

    private mutating func take(_ realm: Realm?, _ slot: Int, _ now: UInt64) {
        entries[slot].asked = 0
        guard let realm else {
            // The next event of the realm may have a process that lives longer.
            entries[slot].askAt = now &+ (entries[slot].confirmed == 0 ? Self.soon : 1_000_000_000)
            return
        }
        var changed = entries[slot].confirmed == 0 || entries[slot].hasHostRoot != realm.hasHostRoot
        changed = changed || entries[slot].userMap != realm.userMap || entries[slot].groupMap != realm.groupMap
        entries[slot].hasHostRoot = realm.hasHostRoot
        entries[slot].userMap = realm.userMap
        entries[slot].groupMap = realm.groupMap
        if let users = realm.users {
            changed = changed || !users.names.isSame(as: entries[slot].users.names)
            entries[slot].users = shared(users)
        }
        if let groups = realm.groups {
            changed = changed || !groups.names.isSame(as: entries[slot].groups.names)
            entries[slot].groups = shared(groups)
        }
        entries[slot].confirmed = max(now, 1)
        let next: UInt64 =
            switch entries[slot].looks {
            case 0: 100_000_000
            case 1: 1_000_000_000
            default: timing.refresh
            }
        entries[slot].askAt = now &+ min(next, timing.refresh)
        entries[slot].looks = min(entries[slot].looks + 1, 2)
        if changed { generation &+= 1 }
    }

    private mutating func shared(_ file: AccountFile) -> AccountFile {
        guard file.names.count > 0 else { return AccountFile(stamp: file.stamp, names: .empty) }
        if let known = lists[file.stamp] { return known }
        if listBytes + file.names.size > mostBytes { purge(all: true) }
        guard listBytes + file.names.size <= mostBytes else {
            dropped += 1
            return AccountFile(stamp: file.stamp, names: .empty)
        }
        lists[file.stamp] = file
        listBytes += file.names.size
        return file
    }

    /// Lets go of lists that no realm has any more.
    private mutating func purge(all: Bool = false) {
        guard all || lists.count > 2 * index.count + 16 else { return }
        var used: Set<AccountFile.Stamp> = []
        for slot in 0..<index.capacity where entries[slot].confirmed != 0 {
            used.insert(entries[slot].users.stamp)
            used.insert(entries[slot].groups.stamp)
        }
        for (stamp, file) in lists where !used.contains(stamp) {
            listBytes -= file.names.size
            lists[stamp] = nil
        }
    }
}
