internal import Glibc

/// Names of the host's users and groups.
///
/// What /etc/passwd and /etc/group have is known at once; a change of theirs within about ten seconds. For other ids NSS is asked on threads of
/// its own, so that one that hangs costs names and nothing else. A file's entry goes before what other services of nsswitch.conf(5) may say.
package struct UserNames: ~Copyable {
    package enum Resolved: Sendable {
        case name([UInt8])
        case none
        /// It could not be found out: worth another try.
        case failed
    }

    /// May block.
    package typealias Resolver = @Sendable (NameKind, UInt32) -> Resolved

    /// Nanoseconds.
    package struct Timing: Sendable {
        /// For how long an id's first events may wait.
        package var wait: UInt64 = 50_000_000
        /// After which a name is asked for again; it is still good meanwhile.
        package var refresh: UInt64 = 60_000_000_000
        /// The same of what has no name.
        package var negative: UInt64 = 30_000_000_000
        /// After which a name that nobody confirmed is not given any more.
        package var trust: UInt64 = 600_000_000_000
        /// Without an answer, until it is asked for again; doubled each time, up to 16 times this.
        package var retry: UInt64 = 5_000_000_000
        /// Between two looks at the files.
        package var files: UInt64 = 10_000_000_000

        package init() {}
    }

    private struct Entry: BitwiseCopyable {
        /// When it was first asked for; 0: not yet.
        var first: UInt64
        /// The last answer; 0: none.
        var confirmed: UInt64
        /// Before that it is not asked for again.
        var askAt: UInt64
        var tries: UInt8
        var named: Bool
        var length: UInt8
    }

    private enum Request: Sendable {
        case name(NameKind, UInt32)
        case files(AccountFile.Stamp, AccountFile.Stamp)
    }

    private enum Answer: Sendable {
        case name(NameKind, UInt32, Resolved)
        /// Nil: unchanged.
        case files(AccountFile?, AccountFile?)
    }

    private let timing: Timing
    private var users: AccountFile
    private var groups: AccountFile
    private var workers: Workers<Request, Answer>
    private var filesAt: UInt64 = 0
    private var index: SlotIndex
    private let entries: UnsafeMutablePointer<Entry>
    private let names: UnsafeMutablePointer<UInt8>
    private static let stride = Name.longest + 1

    /// Another one whenever an answer changed something.
    package private(set) var generation: UInt64 = 1
    /// Entries that made room for others.
    package var evictions: UInt64 { index.evictions }
    /// Requests that were turned away.
    package var refused: UInt64 { workers.refused }

    /// Reads the files.
    ///
    /// - Parameters:
    ///   - capacity: ids beside those in the files.
    ///   - resolve: called on threads of this object's.
    package init(
        capacity: Int = 4096, timing: Timing = Timing(), passwd: String = "/etc/passwd", group: String = "/etc/group",
        resolve: @escaping Resolver = UserNames.ask
    ) {
        self.timing = timing
        users = AccountFile.host(passwd, known: nil) ?? .none
        groups = AccountFile.host(group, known: nil) ?? .none
        index = SlotIndex(capacity: capacity)
        entries = zeroed(index.capacity, of: Entry.self)
        names = zeroed(index.capacity * Self.stride, of: UInt8.self)
        workers = Workers(name: "names", limit: 64, most: 4, patience: timing.retry) { request in
            switch request {
            case .name(let kind, let id): .name(kind, id, resolve(kind, id))
            case .files(let users, let groups): .files(AccountFile.host(passwd, known: users), AccountFile.host(group, known: groups))
            }
        }
    }

    deinit {
        free(entries)
        free(names)
    }

    /// - Parameter now: CLOCK_BOOTTIME, ns.
    @inline(__always)
    package mutating func user(_ id: UInt32, now: UInt64) -> Name {
        if let bytes = users.names[id] { return Name(bytes, .known) }
        return find(.user, id, now)
    }

    @inline(__always)
    package mutating func group(_ id: UInt32, now: UInt64) -> Name {
        if let bytes = groups.names[id] { return Name(bytes, .known) }
        return find(.group, id, now)
    }

    /// Takes in what was answered. Names that were given out before are not valid any more.
    /// - Returns: whether anything was.
    @discardableResult
    package mutating func collect(now: UInt64) -> Bool {
        let hasAnswers = workers.hasAnswers
        if hasAnswers { for answer in workers.takeAnswers(now: now) { take(answer, now) } }
        if now >= filesAt, workers.ask(.files(users.stamp, groups.stamp), now: now) || filesAt == 0 {
            filesAt = now &+ timing.files
        }
        return hasAnswers
    }

    @inline(__always)
    private static func key(_ kind: NameKind, _ id: UInt32) -> UInt64 { UInt64(kind.rawValue &+ 1) << 32 | UInt64(id) }

    @inline(never)
    private mutating func find(_ kind: NameKind, _ id: UInt32, _ now: UInt64) -> Name {
        guard id != .max else { return .unknown }
        let key = Self.key(kind, id)
        let slot: Int
        if let found = index.find(key) {
            slot = found
        } else {
            slot = index.claim(key)
            // The name's bytes stay: they may be given out.
            entries[slot] = Entry(first: 0, confirmed: 0, askAt: 0, tries: 0, named: false, length: 0)
        }
        if now >= entries[slot].askAt { request(kind, id, slot, now) }
        let entry = entries[slot]
        if entry.named {
            guard age(now, entry.confirmed) < timing.trust else {
                entries[slot].named = false
                generation &+= 1
                return .unknown
            }
            return Name(UnsafeRawBufferPointer(start: names + slot &* Self.stride, count: Int(entry.length)), .known)
        }
        return entry.confirmed == 0 && entry.first != 0 && age(now, entry.first) < timing.wait ? .pending : .unknown
    }

    private mutating func request(_ kind: NameKind, _ id: UInt32, _ slot: Int, _ now: UInt64) {
        guard workers.ask(.name(kind, id), now: now) else {
            entries[slot].askAt = now &+ 100_000_000
            return
        }
        if entries[slot].first == 0 { entries[slot].first = max(now, 1) }
        entries[slot].askAt = now &+ timing.retry &<< UInt64(entries[slot].tries)
        entries[slot].tries = min(entries[slot].tries + 1, 4)
    }

    private mutating func take(_ answer: Answer, _ now: UInt64) {
        switch answer {
        case .files(let newUsers, let newGroups):
            if let newUsers {
                if !newUsers.names.isSame(as: users.names) { generation &+= 1 }
                users = newUsers
            }
            if let newGroups {
                if !newGroups.names.isSame(as: groups.names) { generation &+= 1 }
                groups = newGroups
            }
        case .name(let kind, let id, let resolved):
            // It may have made room meanwhile.
            guard let slot = index.peek(Self.key(kind, id)) else { return }
            take(resolved, slot, now)
        }
    }

    private mutating func take(_ resolved: Resolved, _ slot: Int, _ now: UInt64) {
        let old = entries[slot]
        let place = UnsafeMutableRawBufferPointer(start: names + slot * Self.stride, count: Self.stride)
        switch resolved {
        case .name(let bytes) where !bytes.isEmpty && bytes.count <= Name.longest:
            if !old.named || !UnsafeRawBufferPointer(rebasing: place[..<Int(old.length)]).elementsEqual(bytes) { generation &+= 1 }
            place.copyBytes(from: bytes)
            entries[slot].named = true
            entries[slot].length = UInt8(bytes.count)
            entries[slot].askAt = now &+ timing.refresh
        case .name, .none:
            if old.named { generation &+= 1 }
            entries[slot].named = false
            entries[slot].askAt = now &+ timing.negative
        case .failed:
            // What was known stays; when to ask again was settled as it was asked for.
            if !old.named { entries[slot].confirmed = max(now, 1) }
            return
        }
        entries[slot].confirmed = max(now, 1)
        entries[slot].tries = 0
    }
}

extension UserNames {
    /// Asks NSS (getpwuid_r(3), getgrgid_r(3)). Blocks for as long as its services like.
    @Sendable package static func ask(_ kind: NameKind, _ id: UInt32) -> Resolved {
        var room = 1024
        while room <= 4 << 20 {
            let resolved = withUnsafeTemporaryAllocation(of: CChar.self, capacity: room) { buffer -> Resolved? in
                let (error, name) =
                    switch kind {
                    case .user: user(id, buffer)
                    case .group: group(id, buffer)
                    }
                if let name {
                    // One that is too long is taken for none.
                    let length = strnlen(name, Name.longest + 1)
                    return .name([UInt8](UnsafeRawBufferPointer(start: name, count: length)))
                }
                return switch error {
                case ERANGE: nil
                case 0, ENOENT, ESRCH: Resolved.none
                default: .failed
                }
            }
            if let resolved { return resolved }
            // A group's members may take much.
            room *= 4
        }
        return .failed
    }

    private static func user(_ id: UInt32, _ buffer: UnsafeMutableBufferPointer<CChar>) -> (Int32, UnsafeMutablePointer<CChar>?) {
        var entry = passwd()
        var found: UnsafeMutablePointer<passwd>?
        let error = getpwuid_r(id, &entry, buffer.baseAddress.unsafelyUnwrapped, buffer.count, &found)
        return (error, found == nil ? nil : entry.pw_name)
    }

    private static func group(_ id: UInt32, _ buffer: UnsafeMutableBufferPointer<CChar>) -> (Int32, UnsafeMutablePointer<CChar>?) {
        var entry = Glibc.group()
        var found: UnsafeMutablePointer<Glibc.group>?
        let error = getgrgid_r(id, &entry, buffer.baseAddress.unsafelyUnwrapped, buffer.count, &found)
        return (error, found == nil ? nil : entry.gr_name)
    }
}
