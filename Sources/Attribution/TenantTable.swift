package import Events

/// Which hierarchy a cgroup is of. Ids are numbers of one hierarchy: those of different ones collide.
package enum CgroupHierarchy: UInt8, Sendable, CaseIterable {
    /// Version 2.
    case unified = 0
    /// The memory controller's, the pids controller's (version 1): what bpf/lib/task.h falls back to.
    case memory = 1
    case pids = 2
}

/// What is known of a cgroup.
package struct TenantFound {
    /// Nil: the host's own, or not known. Valid until the table changes; keep it by retaining it.
    package var tenant: Unmanaged<Tenant>?
    /// The group is in the table, and its path was whole.
    package var isKnown: Bool
    /// More may become known of it in a moment: its name, or that it is a tenant's at all.
    package var isPending: Bool
    /// Goes up when the tenant's facts change, unlike for any other tenant; 0: none.
    package var version: UInt64

    @inline(__always)
    init(tenant: Unmanaged<Tenant>? = nil, isKnown: Bool, isPending: Bool = false, version: UInt64 = 0) {
        self.tenant = tenant
        self.isKnown = isKnown
        self.isPending = isPending
        self.version = version
    }
}

/// Cgroups by id, and whose they are. Belongs to one thread.
///
/// A removed group keeps its place for records that still come, until others need it: the one removed longest ago makes room first. A look-up
/// allocates nothing and counts no references; whatever else there is here happens when groups come and go.
package final class TenantTable {
    private struct Group {
        var id: UInt64 = 0
        /// Index into `tenants`, or `host`, `unknown`.
        var tenant: Int32 = TenantTable.host
        /// Neighbours among the removed, by age; `newer` also chains free places.
        var older: Int32 = -1
        var newer: Int32 = -1
        var hierarchy: UInt8 = 0
        var isRemoved = false
        /// Whether it is a tenant's at all is being asked.
        var isCandidate = false
    }

    /// What a look-up reads of a tenant.
    private struct Known {
        var tenant: Unmanaged<Tenant>?
        var version: UInt64 = 0
        var isPending = false
    }

    /// What else there is of one.
    private struct Entry {
        var claim: CgroupTenant
        var facts = TenantFacts()
        var groups = 0
        /// A VMM told its name and uuid; no other is believed after it.
        var isNamedByMachine = false
    }

    fileprivate static let host: Int32 = -1
    fileprivate static let unknown: Int32 = -2

    /// Groups made room for, and those that found none because none of the table's was removed.
    package private(set) var evictions: UInt64 = 0
    package private(set) var refusals: UInt64 = 0
    /// Groups in the table, removed ones included.
    package private(set) var count = 0
    /// Goes up with each change of any tenant's facts.
    package private(set) var version: UInt64 = 0
    /// Goes up whenever `find` may say something else of any group. Memory of its own: each event looks, and a class's property has its access checked.
    let changes: UnsafeMutablePointer<UInt64>

    /// Most groups.
    package let limit: Int
    private let isProxmox: Bool?

    private let groups: UnsafeMutablePointer<Group>
    private var paths: [[UInt8]]
    private let slots: UnsafeMutablePointer<Int32>
    private let mask: Int
    private var free: Int32 = 0
    private var oldest: Int32 = -1
    private var newest: Int32 = -1

    private let known: UnsafeMutablePointer<Known>
    private var entries: [Entry?] = []
    private var freeEntries: [Int32] = []
    private var byClaim: [CgroupTenant: Int32] = [:]
    /// What runtimes' own state proved, by the path of the container's group.
    private var proven: [[UInt8]: CgroupTenant] = [:]
    private var questions: [TenantQuestion] = []

    /// - Parameters:
    ///   - limit: most groups, those removed included. About 250 bytes each.
    ///   - isProxmox: as `CgroupPath.parse` has it.
    package init(limit: Int = 16_384, isProxmox: Bool? = nil) {
        self.limit = max(limit, 1)
        self.isProxmox = isProxmox
        var size = 4
        while size < 2 * self.limit { size *= 2 }
        mask = size - 1
        slots = .allocate(capacity: size)
        slots.initialize(repeating: -1, count: size)
        groups = .allocate(capacity: self.limit)
        groups.initialize(repeating: Group(), count: self.limit)
        for index in 0..<self.limit { groups[index].newer = index + 1 < self.limit ? Int32(index + 1) : -1 }
        // Each group has at most one tenant; while one changes hands there is one more.
        known = .allocate(capacity: self.limit + 1)
        known.initialize(repeating: Known(), count: self.limit + 1)
        paths = Array(repeating: [], count: self.limit)
        changes = .allocate(capacity: 1)
        changes.initialize(to: 0)
    }

    deinit {
        for index in 0...limit { known[index].tenant?.release() }
        known.deallocate()
        slots.deallocate()
        groups.deallocate()
        changes.deallocate()
    }

    // MARK: look-up

    @inline(__always)
    private func slot(of id: UInt64) -> Int {
        let hash = id &* 0x9e37_79b9_7f4a_7c15
        return Int(truncatingIfNeeded: hash >> 32) & mask
    }

    @inline(__always)
    private func index(_ id: UInt64, _ hierarchy: CgroupHierarchy) -> Int32 {
        var at = slot(of: id)
        while true {
            let index = slots[at]
            if index < 0 { return -1 }
            let group = groups + Int(index)
            if group.pointee.id == id, group.pointee.hierarchy == hierarchy.rawValue { return index }
            at = (at &+ 1) & mask
        }
    }

    @inline(__always)
    private func found(_ index: Int32) -> TenantFound {
        guard index >= 0 else { return TenantFound(isKnown: false) }
        let group = groups + Int(index)
        let tenant = group.pointee.tenant
        guard tenant >= 0 else { return TenantFound(isKnown: tenant == Self.host, isPending: group.pointee.isCandidate) }
        let entry = known + Int(tenant)
        return TenantFound(tenant: entry.pointee.tenant, isKnown: true, isPending: entry.pointee.isPending, version: entry.pointee.version)
    }

    package func find(_ id: UInt64, _ hierarchy: CgroupHierarchy) -> TenantFound { found(index(id, hierarchy)) }

    /// The same where it isn't known of which hierarchy the number is (`hv_actor.cgroup`): if several have a group of that number and it isn't the
    /// same tenant's in all of them, it is not known whose it is.
    package func find(_ id: UInt64) -> TenantFound {
        var at = slot(of: id)
        var first: Int32 = -1
        while true {
            let index = slots[at]
            if index < 0 { return found(first) }
            if groups[Int(index)].id == id {
                if first < 0 {
                    first = index
                } else if groups[Int(first)].tenant != groups[Int(index)].tenant {
                    return TenantFound(isKnown: false)
                }
            }
            at = (at &+ 1) & mask
        }
    }

    /// The path as it was last known; nil: no such group.
    package func path(_ id: UInt64, _ hierarchy: CgroupHierarchy) -> [UInt8]? {
        let index = index(id, hierarchy)
        return index < 0 ? nil : paths[Int(index)]
    }

    // MARK: groups come and go

    /// A group was made, or found.
    /// - Parameters:
    ///   - path: from the root of its hierarchy.
    ///   - truncated: its front is missing.
    ///   - parent: id of the group above it in its hierarchy; 0: not known. With it a group whose path is too long for a record has the tenant of the one
    ///     above it.
    package func add(_ id: UInt64, _ hierarchy: CgroupHierarchy, path: UnsafeRawBufferPointer, truncated: Bool = false, parent: UInt64 = 0) {
        // No group has that number (kernfs_new_node counts from 1); here it means a free place.
        guard id != 0 else { return }
        changes.pointee &+= 1
        var place = index(id, hierarchy)
        if place >= 0 {
            if groups[Int(place)].isRemoved { revive(place) }
        } else {
            place = take()
            guard place >= 0 else { return }
            groups[Int(place)] = Group(id: id, hierarchy: hierarchy.rawValue)
            insert(place)
        }
        let old = groups[Int(place)].tenant
        paths[Int(place)] = truncated ? [] : Array(path)
        var tenant = resolve(place, truncated: truncated)
        if tenant == Self.unknown, parent != 0, let above = Optional(index(parent, hierarchy)), above >= 0 { tenant = groups[Int(above)].tenant }
        assign(place, tenant)
        release(old)
    }

    /// The same for a group that a record tells of by the way: what is known already is left as it is.
    package func learn(_ id: UInt64, _ hierarchy: CgroupHierarchy, path: UnsafeRawBufferPointer, truncated: Bool = false) {
        let place = index(id, hierarchy)
        guard place < 0 || groups[Int(place)].tenant == Self.unknown else { return }
        add(id, hierarchy, path: path, truncated: truncated)
    }

    /// A group has another name (version 1 only); what lies below it has another path.
    package func rename(_ id: UInt64, _ hierarchy: CgroupHierarchy, path: UnsafeRawBufferPointer, truncated: Bool = false) {
        let place = index(id, hierarchy)
        let old = place < 0 ? [] : paths[Int(place)]
        add(id, hierarchy, path: path, truncated: truncated)
        guard old.count > 1, !truncated else { return }
        let new = Array(path)
        for other in 0..<limit where groups[other].id != 0 && groups[other].hierarchy == hierarchy.rawValue && other != Int(place) {
            guard paths[other].count > old.count, paths[other][old.count] == UInt8(ascii: "/"), paths[other].starts(with: old) else { continue }
            paths[other] = new + paths[other][old.count...]
            reassign(Int32(other))
        }
    }

    package func remove(_ id: UInt64, _ hierarchy: CgroupHierarchy) {
        let place = index(id, hierarchy)
        guard place >= 0, !groups[Int(place)].isRemoved else { return }
        groups[Int(place)].isRemoved = true
        groups[Int(place)].older = newest
        groups[Int(place)].newer = -1
        if newest >= 0 { groups[Int(newest)].newer = place } else { oldest = place }
        newest = place
        if !paths[Int(place)].isEmpty { proven[paths[Int(place)]] = nil }
    }

    private func revive(_ place: Int32) {
        let group = groups[Int(place)]
        if group.older >= 0 { groups[Int(group.older)].newer = group.newer } else { oldest = group.newer }
        if group.newer >= 0 { groups[Int(group.newer)].older = group.older } else { newest = group.older }
        groups[Int(place)].isRemoved = false
    }

    /// A free place, or the one of the group that was removed longest ago; -1: all groups live.
    private func take() -> Int32 {
        if free >= 0 {
            let place = free
            free = groups[Int(place)].newer
            count += 1
            return place
        }
        guard oldest >= 0 else {
            refusals += 1
            return -1
        }
        let place = oldest
        revive(place)
        erase(place)
        release(groups[Int(place)].tenant)
        evictions += 1
        return place
    }

    private func insert(_ place: Int32) {
        var at = slot(of: groups[Int(place)].id)
        while slots[at] >= 0 { at = (at + 1) & mask }
        slots[at] = place
    }

    /// Closes the gap, so that no look-up ends at it.
    private func erase(_ place: Int32) {
        var hole = slot(of: groups[Int(place)].id)
        while slots[hole] != place { hole = (hole + 1) & mask }
        var at = hole
        while true {
            at = (at + 1) & mask
            guard slots[at] >= 0 else { break }
            let home = slot(of: groups[Int(slots[at])].id)
            // It may move up where its home isn't between the hole and it.
            if (at - home) & mask >= (at - hole) & mask {
                slots[hole] = slots[at]
                hole = at
            }
        }
        slots[hole] = -1
    }

    // MARK: tenants

    private func resolve(_ place: Int32, truncated: Bool = false) -> Int32 {
        groups[Int(place)].isCandidate = false
        let path = paths[Int(place)]
        switch path.withUnsafeBytes({ CgroupPath.parse($0, truncated: truncated, isProxmox: isProxmox) }) {
        case .host: return Self.host
        case .unknown: return Self.unknown
        case .tenant(let claim): return entry(for: claim)
        case .candidate(let candidate):
            for scope in candidate.scopes {
                if let claim = proven[scope.path] { return entry(for: claim) }
            }
            // What lies deeper says nothing that its candidate has not said.
            guard path.count == candidate.scopes.last?.path.count else { return Self.host }
            groups[Int(place)].isCandidate = ask(.proof(candidate))
            return Self.host
        }
    }

    private func assign(_ place: Int32, _ tenant: Int32) {
        groups[Int(place)].tenant = tenant
        if tenant >= 0 { entries[Int(tenant)]?.groups += 1 }
    }

    private func reassign(_ place: Int32) {
        changes.pointee &+= 1
        let old = groups[Int(place)].tenant
        assign(place, resolve(place))
        release(old)
    }

    private func release(_ tenant: Int32) {
        guard tenant >= 0, let entry = entries[Int(tenant)] else { return }
        if entry.groups > 1 {
            entries[Int(tenant)]?.groups -= 1
            return
        }
        byClaim[entry.claim] = nil
        entries[Int(tenant)] = nil
        known[Int(tenant)].tenant?.release()
        known[Int(tenant)] = Known()
        freeEntries.append(tenant)
    }

    /// The place of a tenant, a new one where it was not known.
    private func entry(for claim: CgroupTenant) -> Int32 {
        if let place = byClaim[claim] { return place }
        let place: Int32
        if let free = freeEntries.popLast() {
            place = free
        } else {
            place = Int32(entries.count)
            entries.append(nil)
        }
        entries[Int(place)] = Entry(claim: claim)
        byClaim[claim] = place
        known[Int(place)] = Known()
        publish(place)
        known[Int(place)].isPending = ask(.facts(claim))
        return place
    }

    private func publish(_ place: Int32) {
        guard let entry = entries[Int(place)] else { return }
        let old = known[Int(place)].tenant
        version += 1
        known[Int(place)].tenant = .passRetained(entry.facts.tenant(entry.claim))
        known[Int(place)].version = version
        old?.release()
    }

    private func ask(_ question: TenantQuestion) -> Bool {
        // As many as groups may come between two calls of `takeQuestions`.
        guard questions.count < limit else { return false }
        questions.append(question)
        return true
    }

    // MARK: what others find out

    /// What is to be looked up on disk since the last call; whoever takes it answers each with `answer`.
    package func takeQuestions() -> [TenantQuestion] {
        if questions.isEmpty { return [] }
        defer { questions = [] }
        return questions
    }

    /// - Parameter isFinal: nothing more comes; else the question stays pending.
    package func answer(_ answer: TenantAnswer, isFinal: Bool = true) {
        changes.pointee &+= 1
        switch answer.question {
        case .facts(let claim):
            guard let place = byClaim[claim] else { return }
            if isFinal || answer.facts != nil { known[Int(place)].isPending = false }
            guard let facts = answer.facts, let entry = entries[Int(place)] else { return }
            let merged = entry.facts.completed(by: facts)
            guard merged != entry.facts else { return }
            entries[Int(place)]?.facts = merged
            publish(place)
        case .proof(let candidate):
            guard isFinal || answer.proof != nil, let whole = candidate.scopes.last?.path else { return }
            if let (scope, claim) = answer.proof, proven.count < limit { proven[candidate.scopes[scope].path] = claim }
            let changed = answer.proof.map { candidate.scopes[$0.scope].path } ?? whole
            for place in 0..<limit where groups[place].id != 0 {
                let path = paths[place]
                if path == whole { groups[place].isCandidate = false }
                guard answer.proof != nil, path.count >= changed.count, path.starts(with: changed),
                    path.count == changed.count || path[changed.count] == UInt8(ascii: "/")
                else { continue }
                reassign(Int32(place))
            }
        }
    }

    /// A virtual machine's process in one of its groups told its name and number at its exec. The first is believed: what comes after it may be the
    /// guest's doing.
    /// - Returns: whether the group is a virtual machine's of that engine.
    package func complete(_ id: UInt64, _ hierarchy: CgroupHierarchy?, with facts: TenantFacts) -> Bool {
        let place = hierarchy.map { index(id, $0) } ?? unambiguous(id)
        guard place >= 0, groups[Int(place)].tenant >= 0, let entry = entries[Int(groups[Int(place)].tenant)], entry.claim.kind == .vm else { return false }
        let tenant = groups[Int(place)].tenant
        guard !entry.isNamedByMachine else { return true }
        changes.pointee &+= 1
        entries[Int(tenant)]?.isNamedByMachine = true
        var facts = facts
        // Only libvirt's machines have a name in their path that an exec knows better, and a number that it doesn't have.
        if entry.claim.engine != "libvirt" { facts.id = "" }
        // What root's files said already goes before: of a machine older than this table, the first exec may be the guest's.
        let merged = entry.facts.completed(by: facts)
        if merged != entry.facts {
            entries[Int(tenant)]?.facts = merged
            publish(tenant)
        }
        return true
    }

    private func unambiguous(_ id: UInt64) -> Int32 {
        let all = CgroupHierarchy.allCases.map { index(id, $0) }.filter { $0 >= 0 }
        guard let first = all.first, all.allSatisfy({ groups[Int($0)].tenant == groups[Int(first)].tenant }) else { return -1 }
        return first
    }

    /// The tenant whose group of this path would be, if the table has it. Asks for nothing.
    package func tenant(at path: UnsafeRawBufferPointer) -> Tenant? {
        let claim: CgroupTenant?
        switch CgroupPath.parse(path, isProxmox: isProxmox) {
        case .host, .unknown: claim = nil
        case .tenant(let found): claim = found
        case .candidate(let candidate): claim = candidate.scopes.lazy.compactMap { self.proven[$0.path] }.first
        }
        return claim.flatMap { byClaim[$0] }.flatMap { known[Int($0)].tenant?.takeUnretainedValue() }
    }

    /// Each tenant with its groups that live, by the first of their paths.
    package func list() -> [(tenant: Tenant, path: [UInt8], hierarchy: CgroupHierarchy, groups: Int)] {
        var found: [Int32: (path: [UInt8], hierarchy: CgroupHierarchy, groups: Int)] = [:]
        for place in 0..<limit where groups[place].id != 0 && !groups[place].isRemoved && groups[place].tenant >= 0 {
            let path = paths[place]
            let hierarchy = CgroupHierarchy(rawValue: groups[place].hierarchy) ?? .unified
            guard let other = found[groups[place].tenant] else {
                found[groups[place].tenant] = (path, hierarchy, 1)
                continue
            }
            let isFirst = (hierarchy.rawValue, path.count) < (other.hierarchy.rawValue, other.path.count)
            found[groups[place].tenant] = isFirst ? (path, hierarchy, other.groups + 1) : (other.path, other.hierarchy, other.groups + 1)
        }
        return found.sorted { $0.value.path.lexicographicallyPrecedes($1.value.path) }.compactMap { place, value in
            known[Int(place)].tenant.map { ($0.takeUnretainedValue(), value.path, value.hierarchy, value.groups) }
        }
    }
}
