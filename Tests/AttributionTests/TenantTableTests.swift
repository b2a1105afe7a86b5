import Attribution
import Events
import Testing

extension TenantTable {
    func add(_ id: UInt64, _ path: String, _ hierarchy: CgroupHierarchy = .unified, truncated: Bool = false, parent: UInt64 = 0) {
        Array(path.utf8).withUnsafeBytes { add(id, hierarchy, path: $0, truncated: truncated, parent: parent) }
    }

    func rename(_ id: UInt64, _ path: String, _ hierarchy: CgroupHierarchy = .unified) {
        Array(path.utf8).withUnsafeBytes { rename(id, hierarchy, path: $0) }
    }

    func learn(_ id: UInt64, _ path: String, _ hierarchy: CgroupHierarchy = .unified) {
        Array(path.utf8).withUnsafeBytes { learn(id, hierarchy, path: $0) }
    }

    /// `ENGINE ID`, `host` or `unknown`.
    func words(_ id: UInt64, _ hierarchy: CgroupHierarchy? = .unified) -> String { words(hierarchy.map { find(id, $0) } ?? find(id)) }

    private func words(_ found: TenantFound) -> String {
        guard let tenant = found.tenant?.takeUnretainedValue() else { return found.isKnown ? "host" : "unknown" }
        return "\(tenant.engine) \(tenant.id)"
    }

    func tenant(_ id: UInt64) -> Tenant? { find(id, .unified).tenant?.takeUnretainedValue() }
}

struct TenantTableTests {
    private static let id = CgroupSample.id

    @Test func comesAndGoes() {
        let table = TenantTable(limit: 8)
        #expect(table.words(5) == "unknown")
        table.add(5, "/lxc.payload.c1")
        table.add(6, "/lxc.payload.c1/init.scope")
        table.add(7, "/system.slice/ssh.service")
        #expect(table.words(5) == "lxc c1" && table.words(6) == "lxc c1" && table.words(7) == "host")
        // One tenant, one object.
        #expect(table.tenant(5) === table.tenant(6))
        table.remove(6, .unified)
        table.remove(5, .unified)
        #expect(table.words(5) == "lxc c1" && table.words(6) == "lxc c1")
        #expect(table.list().isEmpty)
        // The number belongs to another.
        table.add(5, "/lxc.payload.c2")
        #expect(table.words(5) == "lxc c2" && table.words(6) == "lxc c1")
        table.add(0, "/lxc.payload.c3")
        #expect(table.count == 3)
    }

    @Test func theLongestRemovedMakesRoom() {
        let table = TenantTable(limit: 4)
        for id in 1...4 { table.add(UInt64(id), "/lxc.payload.c\(id)") }
        table.add(9, "/lxc.payload.c9")
        #expect(table.refusals == 1 && table.words(9) == "unknown" && table.words(1) == "lxc c1")
        for id in [3, 1, 2] { table.remove(UInt64(id), .unified) }
        // What is removed twice is as old as it was, and what came again lives.
        table.remove(3, .unified)
        table.add(1, "/lxc.payload.c1")
        table.add(9, "/lxc.payload.c9")
        #expect(table.evictions == 1)
        #expect((1...4).map { table.words(UInt64($0)) } == ["lxc c1", "lxc c2", "unknown", "lxc c4"] && table.words(9) == "lxc c9")
        table.add(10, "/lxc.payload.c10")
        #expect(table.evictions == 2 && table.words(2) == "unknown" && table.words(10) == "lxc c10")
        table.add(11, "/lxc.payload.c11")
        #expect(table.evictions == 2 && table.refusals == 2 && table.count == 4)
    }

    @Test func renamedParents() {
        let table = TenantTable(limit: 8)
        table.add(1, "/docker", .memory)
        table.add(2, "/docker/\(Self.id)", .memory)
        table.add(3, "/docker/\(Self.id)/init.scope", .memory)
        table.add(4, "/docker2", .memory)
        table.add(5, "/docker/\(CgroupSample.other)", .pids)
        table.remove(3, .memory)
        table.rename(1, "/firecracker", .memory)
        #expect(table.words(2, .memory) == "firecracker \(Self.id)" && table.words(3, .memory) == "firecracker \(Self.id)")
        #expect(table.words(5, .pids) == "docker \(CgroupSample.other)")
        #expect(table.path(3, .memory) == Array("/firecracker/\(Self.id)/init.scope".utf8))
        #expect(table.path(4, .memory) == Array("/docker2".utf8))
        table.rename(2, "/firecracker/vm1", .memory)
        #expect(table.words(3, .memory) == "firecracker vm1")
        // A name that was never known.
        table.rename(7, "/lxc.payload.c7", .memory)
        #expect(table.words(7, .memory) == "lxc c7")
    }

    @Test func idsOfHierarchiesCollide() {
        let table = TenantTable(limit: 8)
        table.add(1, "/lxc.payload.c1", .memory)
        table.add(1, "/docker/\(Self.id)", .pids)
        #expect(table.words(1, .memory) == "lxc c1" && table.words(1, .pids) == "docker \(Self.id)" && table.words(1, .unified) == "unknown")
        #expect(table.words(1, nil) == "unknown")
        table.add(2, "/lxc.payload.c1", .memory)
        table.add(2, "/lxc.payload.c1/a", .unified)
        #expect(table.words(2, nil) == "lxc c1")
    }

    @Test func whatIsCutHasTheTenantAbove() {
        let table = TenantTable(limit: 8)
        table.add(1, "/lxc.payload.c1")
        table.add(2, "a/docker/\(Self.id)", truncated: true, parent: 1)
        #expect(table.words(2) == "lxc c1")
        table.add(3, "/docker/\(Self.id)", truncated: true)
        #expect(table.words(3) == "unknown")
        // A record that has it whole is believed then; one that is known is left.
        table.learn(3, "/lxc.payload.c3")
        table.learn(1, "/lxc.payload.c9")
        #expect(table.words(3) == "lxc c3" && table.words(1) == "lxc c1")
    }

    @Test func factsMakeAnother() {
        let table = TenantTable(limit: 8)
        table.add(1, "/docker/\(Self.id)")
        table.add(2, "/docker/\(Self.id)/a")
        let questions = table.takeQuestions()
        #expect(questions.count == 1 && table.takeQuestions().isEmpty)
        let before = table.find(1, .unified)
        #expect(before.isPending && before.version != 0)
        table.answer(TenantAnswer(questions[0]), isFinal: false)
        #expect(table.find(1, .unified).isPending && table.find(1, .unified).version == before.version)
        table.answer(TenantAnswer(questions[0], facts: TenantFacts(name: "web", image: "nginx")))
        let after = table.find(2, .unified)
        #expect(!after.isPending && after.version > before.version)
        #expect(table.tenant(1)?.name == "web" && table.tenant(2)?.image == "nginx" && table.tenant(1)?.runtime == "docker")
        table.answer(TenantAnswer(questions[0], facts: TenantFacts(name: "other")))
        #expect(table.tenant(1)?.name == "web" && table.find(1, .unified).version == after.version)
        // One that is gone.
        table.answer(TenantAnswer(.facts(CgroupTenant(.container, "docker", "none")), facts: TenantFacts(name: "x")))
    }

    @Test func candidatesAreTheHostsUntilProven() throws {
        let table = TenantTable(limit: 8)
        table.add(1, "/demo")
        table.add(2, "/demo/a/b/c")
        table.add(3, "/demon")
        #expect(table.words(1) == "host" && table.find(1, .unified).isPending && !table.find(2, .unified).isPending)
        let questions = table.takeQuestions()
        #expect(questions.count == 2)
        let claim = CgroupTenant(.container, "crun", "demo", isNamed: true)
        table.answer(TenantAnswer(questions[1]))
        #expect(!table.find(3, .unified).isPending)
        table.answer(TenantAnswer(questions[0], proof: (0, claim)))
        #expect(table.words(1) == "crun demo" && table.words(2) == "crun demo" && table.words(3) == "host")
        table.add(4, "/demo/late")
        #expect(table.words(4) == "crun demo")
        // Whoever makes the group again has to be proven again.
        table.remove(1, .unified)
        #expect(table.words(1) == "crun demo")
        table.add(5, "/demo")
        #expect(table.words(5) == "host")
    }

    @Test func onlyTheFirstMonitorNamesItsMachine() throws {
        let table = TenantTable(limit: 8)
        table.add(1, #"/machine.slice/machine-qemu\x2d1\x2dweb.scope"#)
        table.add(2, "/qemu.slice/100.scope")
        table.add(3, "/docker/\(Self.id)")
        let uuid = "0f2f2a4e-6a4e-4d0c-8e57-6a7b8c9d0e1f"
        #expect(table.complete(1, .unified, with: TenantFacts(id: uuid, name: "web & more")))
        #expect(table.words(1) == "libvirt \(uuid)" && table.tenant(1)?.name == "web & more")
        #expect(table.complete(1, nil, with: TenantFacts(id: "x", name: "forged")))
        #expect(table.words(1) == "libvirt \(uuid)" && table.tenant(1)?.name == "web & more")
        #expect(table.complete(2, .unified, with: TenantFacts(id: uuid, name: "db")))
        #expect(table.words(2) == "proxmox 100" && table.tenant(2)?.name == "db")
        // What its files said stays.
        table.add(4, #"/machine.slice/machine-qemu\x2d2\x2dold.scope"#)
        let question = try #require(table.takeQuestions().last)
        table.answer(TenantAnswer(question, facts: TenantFacts(id: uuid, name: "old")))
        #expect(table.complete(4, .unified, with: TenantFacts(id: String(uuid.reversed()), name: "forged")))
        #expect(table.words(4) == "libvirt \(uuid)" && table.tenant(4)?.name == "old")
        #expect(!table.complete(3, .unified, with: TenantFacts(id: uuid, name: "db")))
        #expect(!table.complete(9, .unified, with: TenantFacts(id: uuid, name: "db")))
    }

    @Test func listsWhatLives() {
        let table = TenantTable(limit: 8)
        table.add(1, "/lxc.payload.c1/deep", .unified)
        table.add(2, "/lxc.payload.c1", .unified)
        table.add(3, "/lxc.payload.c1", .memory)
        table.add(4, "/lxc.monitor.c1", .unified)
        table.add(5, "/lxc.payload.c2", .unified)
        table.remove(5, .unified)
        let list = table.list()
        #expect(list.map { String(decoding: $0.path, as: UTF8.self) } == ["/lxc.monitor.c1", "/lxc.payload.c1"])
        #expect(list.map(\.groups) == [1, 3] && list.map(\.tenant.role) == [.manager, .guest])
    }

    /// Against a model that forgets nothing it should know.
    @Test func fuzz() {
        let paths = CgroupSample.seen.map(\.path) + ["/demo", "/default/demo"]
        let table = TenantTable(limit: 64)
        var live: [UInt64: String] = [:]
        var removed: [(id: UInt64, path: String)] = []
        func expected(_ path: String) -> String {
            guard case .tenant(let tenant) = CgroupPath.parse(path, isProxmox: nil) else { return "host" }
            return "\(tenant.engine) \(tenant.id)"
        }
        for _ in 0..<5_000 {
            let id = UInt64.random(in: 1...200)
            if live[id] == nil, live.count < 64, Bool.random() {
                let path = paths.randomElement() ?? "/"
                removed.removeAll { $0.id == id }
                if live.count + removed.count == 64 { removed.removeFirst() }
                live[id] = path
                table.add(id, path)
            } else if let path = live[id] {
                if Bool.random() {
                    live[id] = nil
                    removed.append((id, path))
                    table.remove(id, .unified)
                } else {
                    let new = "/lxc.payload.r\(id)"
                    func moved(_ other: String) -> String { path.count > 1 && other.hasPrefix(path + "/") ? new + other.dropFirst(path.count) : other }
                    live = live.mapValues(moved)
                    removed = removed.map { ($0.id, moved($0.path)) }
                    live[id] = new
                    table.rename(id, new)
                }
            }
            if Int.random(in: 0..<50) == 0 { _ = table.takeQuestions() }
            for probe in UInt64(1)...200 where probe % 17 == id % 17 {
                let path = live[probe] ?? removed.first { $0.id == probe }?.path
                #expect(table.words(probe) == path.map(expected) ?? "unknown")
            }
        }
        #expect(table.refusals == 0 && table.count == 64)
    }
}
