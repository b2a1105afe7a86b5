import Events
import KernelABI
import Rings
import Testing

@testable import Attribution

/// Records as the kernel side sends them, of processes that are made up.
struct Act {
    enum Kind { case fork, exec, exit }
    var kind: Kind
    var time: UInt64
    var process: Person
    var path = ""

    struct Person: Hashable {
        var pid: UInt32
        var start: UInt64
    }
    var parent: Person

    var bytes: [UInt8] {
        var actor = hv_actor()
        actor.pid = process.pid
        actor.tid = process.pid
        actor.start = process.start
        actor.parent_pid = parent.pid
        actor.parent_start = parent.start
        func header(_ kind: hv_kind, _ size: Int) -> hv_header {
            hv_header(size: UInt32(size), kind: UInt16(kind.rawValue), flags: 0, sequence: 0, time: time, ring: 1, cpu: 0, reserved: 0)
        }
        switch kind {
        case .fork:
            var fork = hv_fork()
            fork.header = header(HV_KIND_FORK, MemoryLayout<hv_fork>.size)
            fork.actor = actor
            fork.forker_pid = parent.pid
            fork.forker_start = parent.start
            return withUnsafeBytes(of: fork) { Array($0) }
        case .exit:
            var exit = hv_exit()
            exit.header = header(HV_KIND_EXIT, MemoryLayout<hv_exit>.size)
            exit.actor = actor
            return withUnsafeBytes(of: exit) { Array($0) }
        case .exec:
            let strings = [Array(path.utf8), [], [], [], [], Array("\(path)\0argument\0".utf8)]
            var exec = hv_exec()
            exec.header = header(HV_KIND_EXEC, MemoryLayout<hv_exec>.size + strings.reduce(0) { $0 + $1.count })
            exec.actor = actor
            exec.executable.inode = UInt64(path.utf8.reduce(7) { $0 &* 31 &+ Int($1) })
            withUnsafeMutableBytes(of: &exec.strings) { room in
                for (slot, string) in strings.enumerated() {
                    room.storeBytes(of: hv_string(length: UInt16(string.count), flags: 0), toByteOffset: 4 * slot, as: hv_string.self)
                }
            }
            return withUnsafeBytes(of: exec) { Array($0) } + Array(strings.joined())
        }
    }
}

extension Attributor {
    mutating func take(_ act: Act) {
        let bytes = act.bytes
        let kind: hv_kind = act.kind == .fork ? HV_KIND_FORK : act.kind == .exec ? HV_KIND_EXEC : HV_KIND_EXIT
        observe(bytes.span.bytes, kind: kind.rawValue)
    }

    /// Executable and ancestors of the process of an act, as its event would have them.
    mutating func told(_ act: Act) -> (executable: String, ancestors: [Act.Person], executables: [String], truncated: Bool) {
        let bytes = act.bytes
        guard let actor = ActorView(bytes.span.bytes) else { return ("", [], [], false) }
        let facts = facts(of: actor, at: act.time)
        return (
            String(decoding: facts.pointee.executable, as: UTF8.self),
            facts.pointee.ancestors.map { Act.Person(pid: $0.pid, start: $0.start) },
            facts.pointee.ancestors.map { String(decoding: $0.executable, as: UTF8.self) }, facts.pointee.ancestorsTruncated
        )
    }
}

/// Histories with an oracle that forgets nothing.
struct World {
    struct Life {
        var parent: Act.Person
        var images: [(since: UInt64, path: String)]
        var ended: UInt64 = 0
    }
    var lives: [Act.Person: Life] = [:]
    var living: [Act.Person] = []
    var acts: [Act] = []
    var time: UInt64 = 1_000_000_000
    var random: any RandomNumberGenerator
    let pids: UInt32

    static let first = Act.Person(pid: 1, start: 1)

    init(seed: UInt64, pids: UInt32) {
        random = Seeded(state: seed)
        self.pids = pids
        lives[Self.first] = Life(parent: Act.Person(pid: 0, start: 0), images: [(1, "/sbin/init")])
        living = [Self.first]
        acts.append(Act(kind: .exec, time: 1, process: Self.first, path: "/sbin/init", parent: Act.Person(pid: 0, start: 0)))
    }

    func image(_ person: Act.Person, at time: UInt64) -> String {
        lives[person]?.images.last { $0.since <= time }?.path ?? ""
    }

    func ancestors(_ person: Act.Person) -> [Act.Person] {
        var up: [Act.Person] = [], at = lives[person]?.parent
        while let one = at, one.pid != 0 {
            up.append(one)
            at = lives[one]?.parent
        }
        return up
    }

    mutating func step(gap: UInt64 = 1_000) {
        time += UInt64.random(in: 1...gap, using: &random)
        let some = living.randomElement(using: &random) ?? Self.first
        let dice = Int.random(in: 0..<100, using: &random)
        if dice < 45 {
            let taken = Set(living.map(\.pid))
            guard let pid = (2...pids).first(where: { !taken.contains($0) }) else { return end(some) }
            let child = Act.Person(pid: pid, start: time)
            lives[child] = Life(parent: some, images: [(time, image(some, at: time))])
            living.append(child)
            acts.append(Act(kind: .fork, time: time, process: child, parent: some))
        } else if dice < 65 {
            let path = "/bin/\(Int.random(in: 0..<40, using: &random))"
            lives[some]?.images.append((time, path))
            acts.append(Act(kind: .exec, time: time, process: some, path: path, parent: lives[some]?.parent ?? Self.first))
        } else {
            end(some)
        }
    }

    private mutating func end(_ person: Act.Person) {
        guard person != Self.first else { return }
        lives[person]?.ended = time
        living.removeAll { $0 == person }
        // Children go to the first process, as the kernel tells from then on.
        acts.append(Act(kind: .exit, time: time, process: person, parent: lives[person]?.parent ?? Self.first))
    }
}

struct Seeded: RandomNumberGenerator {
    var state: UInt64
    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var mixed = (state ^ state >> 30) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ mixed >> 27) &* 0x94d0_49bb_1331_11eb
        return mixed ^ mixed >> 31
    }
}

struct ProcessTableTests {
    /// What each living process's events say of its parents is what the oracle says, whatever ended since, whichever numbers were used again, and in
    /// whatever order the records of a few came.
    @Test(arguments: 0..<40)
    func lineage(seed: Int) {
        var world = World(seed: UInt64(seed), pids: 60)
        for _ in 0..<3_000 { world.step() }
        var attributor = Attributor(.init(processes: 65_536, ancestors: 64, arguments: 64))
        var acts = world.acts
        // Several CPUs: neighbours change places.
        for index in stride(from: 1, to: acts.count, by: 3) where seed % 2 == 1 {
            let other = index + Int.random(in: 0..<min(4, acts.count - index), using: &world.random)
            acts.swapAt(index, other)
        }
        for act in acts {
            attributor.take(act)
            // No time passes: nothing is forgotten for age.
        }
        attributor.expire(now: world.time)
        for person in world.living {
            let act = Act(kind: .exit, time: world.time, process: person, parent: world.lives[person]?.parent ?? World.first)
            let told = attributor.told(act)
            #expect(told.ancestors == world.ancestors(person), "seed \(seed), \(person)")
            #expect(!told.truncated)
            #expect(told.executable == world.image(person, at: world.time), "seed \(seed), \(person)")
            #expect(told.executables == world.ancestors(person).map { world.image($0, at: world.time) })
        }
        #expect(attributor.processes.evicted == 0 && attributor.processes.refused == 0)
    }

    /// Who ended and has no living descendant is forgotten, and who has is not; the depth that is asked for is had after that too.
    @Test(arguments: 0..<10)
    func forgetting(seed: Int) {
        var world = World(seed: UInt64(1000 + seed), pids: 40)
        var attributor = Attributor(.init(processes: 65_536, ancestors: 5, arguments: 64))
        var taken = 0
        for _ in 0..<20_000 {
            world.step(gap: 50_000_000)
            while taken < world.acts.count {
                attributor.take(world.acts[taken])
                taken += 1
            }
            attributor.expire(now: world.time)
        }
        for person in world.living {
            let told = attributor.told(Act(kind: .exit, time: world.time, process: person, parent: world.lives[person]?.parent ?? World.first))
            let all = world.ancestors(person)
            #expect(told.ancestors == Array(all.prefix(5)), "seed \(seed), \(person)")
            if all.count > 5 { #expect(told.truncated) }
        }
        // The living, five parents of each, what has ended within the last seconds, and what a sweep waits for.
        #expect(attributor.processes.count < 40 * 6 + 2_000)
        #expect(attributor.processes.evicted == 0)
    }

    @Test func sixtyFourGenerations() {
        var attributor = Attributor(.init(processes: 65_536, ancestors: 64, arguments: 64))
        var parent = World.first
        attributor.take(Act(kind: .exec, time: 1, process: parent, path: "/sbin/init", parent: .init(pid: 0, start: 0)))
        for generation in 1...64 {
            let child = Act.Person(pid: UInt32(100 + generation), start: UInt64(1_000 * generation))
            attributor.take(Act(kind: .fork, time: child.start, process: child, parent: parent))
            attributor.take(Act(kind: .exit, time: child.start + 1, process: parent, parent: parent))
            parent = child
        }
        let told = attributor.told(Act(kind: .exit, time: 1_000_000, process: parent, parent: World.first))
        #expect(told.ancestors.count == 64)
        #expect(told.executables.allSatisfy { $0 == "/sbin/init" } && told.executable == "/sbin/init")
    }

    /// Whose end nobody told is found to be gone, and makes room.
    @Test func lostEnds() {
        var attributor = Attributor(.init(processes: 1_000, ancestors: 8, arguments: 64))
        attributor.take(Act(kind: .exec, time: 1, process: World.first, path: "/sbin/init", parent: .init(pid: 0, start: 0)))
        for number in 1..<1_000 {
            attributor.take(Act(kind: .fork, time: UInt64(number), process: .init(pid: UInt32(1 + number), start: UInt64(number)), parent: World.first))
        }
        let late = Act.Person(pid: 5_000, start: 5)
        attributor.take(Act(kind: .fork, time: 2_000, process: late, parent: World.first))
        #expect(attributor.processes.refused == 1)
        // Two are there.
        var records: [UInt8] = []
        for person in [World.first, Act.Person(pid: 2, start: 1)] {
            var process = hv_process()
            process.header.kind = UInt16(HV_KIND_PROCESS.rawValue)
            process.header.size = UInt32(MemoryLayout<hv_process>.size)
            (process.actor.pid, process.actor.tid, process.actor.start) = (person.pid, person.pid, person.start)
            records += withUnsafeBytes(of: process) { Array($0) }
        }
        let time: UInt64 = 100_000_000_000
        attributor.reconcile(records.span.bytes, at: time) { $0 }
        attributor.expire(now: time + ProcessTable.linger + 1)
        #expect(attributor.processes.count == 2)
        attributor.take(Act(kind: .fork, time: time, process: late, parent: World.first))
        #expect(attributor.processes.refused == 1 && attributor.processes.count == 3)
    }

    /// A table that is full forgets the longest ended, counts, and takes nobody for somebody else.
    @Test func bounds() {
        var attributor = Attributor(.init(processes: 1_000, ancestors: 8, arguments: 64))
        attributor.take(Act(kind: .exec, time: 1, process: World.first, path: "/sbin/init", parent: .init(pid: 0, start: 0)))
        for number in 0..<5_000 {
            let child = Act.Person(pid: UInt32(2 + number % 3_000), start: UInt64(10 + 10 * number))
            attributor.take(Act(kind: .fork, time: child.start, process: child, parent: World.first))
            if number % 2 == 0 { attributor.take(Act(kind: .exit, time: child.start + 1, process: child, parent: World.first)) }
        }
        #expect(attributor.processes.count == 1_000)
        #expect(attributor.processes.evicted > 0)
        #expect(attributor.processes.refused > 0)
        // The number of one of them, started at another time.
        let stranger = attributor.told(Act(kind: .exit, time: 90_000, process: .init(pid: 3, start: 77_777), parent: .init(pid: 9_999, start: 5)))
        #expect(stranger.ancestors.isEmpty && stranger.executable.isEmpty)
    }

    /// An event is told with what its process ran then, also where that has changed since.
    @Test func imageAtTheTime() {
        var attributor = Attributor(.init(processes: 1_000, ancestors: 8, arguments: 64))
        let one = Act.Person(pid: 5, start: 50)
        attributor.take(Act(kind: .exec, time: 100, process: one, path: "/first", parent: World.first))
        attributor.take(Act(kind: .exec, time: 200, process: one, path: "/second", parent: World.first))
        attributor.take(Act(kind: .exec, time: 300, process: one, path: "/third", parent: World.first))
        func at(_ time: UInt64) -> Act { Act(kind: .exit, time: time, process: one, parent: World.first) }
        #expect(attributor.told(at(350)).executable == "/third")
        #expect(attributor.told(at(250)).executable == "/second")
        // Further back it is not known, and not somebody else's.
        #expect(attributor.told(at(150)).executable == "")
    }
}
