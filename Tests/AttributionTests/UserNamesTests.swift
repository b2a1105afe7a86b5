import Attribution
import Events
import Glibc
import Synchronization
import Testing

private let second: UInt64 = 1_000_000_000

/// A name service that does as it is told.
private final class Service: Sendable {
    let names = Mutex<[UInt32: UserNames.Resolved]>([:])
    let hangs = Atomic<Bool>(false)
    let asked = Atomic<Int>(0)
    let answered = Atomic<Int>(0)

    func resolve(_ kind: NameKind, _ id: UInt32) -> UserNames.Resolved {
        asked.add(1, ordering: .sequentiallyConsistent)
        while hangs.load(ordering: .sequentiallyConsistent) { usleep(1000) }
        defer { answered.add(1, ordering: .sequentiallyConsistent) }
        let resolved = names.withLock { $0[id] } ?? .none
        if kind == .group, case .name(let name) = resolved { return .name(Array("group ".utf8) + name) }
        return resolved
    }

    func name(_ id: UInt32, _ name: String) { names.withLock { $0[id] = .name(Array(name.utf8)) } }
}

private func make(_ service: Service, capacity: Int = 64, _ change: (inout UserNames.Timing) -> Void = { _ in }) -> UserNames {
    var timing = UserNames.Timing()
    change(&timing)
    return UserNames(capacity: capacity, timing: timing, passwd: "/nowhere", group: "/nowhere") { service.resolve($0, $1) }
}

/// Waits for what a service says of a user; `pending` and old answers are passed over.
private func settle(_ names: inout UserNames, _ service: Service, answers: Int, now: UInt64) {
    until("answer \(answers)") { service.answered.load(ordering: .sequentiallyConsistent) >= answers }
    // The answer is put where it can be taken just behind.
    for _ in 0..<20 {
        names.collect(now: now)
        usleep(1000)
    }
}

struct UserNamesTests {
    @Test func nameComesAndIsKept() {
        let service = Service()
        service.name(7, "ann")
        var names = make(service)
        #expect(names.user(7, now: second).state == .pending)
        #expect(names.user(7, now: second).bytes.isEmpty)
        let before = names.generation
        settle(&names, service, answers: 1, now: second)
        #expect(names.generation != before)
        #expect(names.user(7, now: second).state == .known)
        #expect(text(names.user(7, now: second).bytes) == "ann")
        #expect(names.group(7, now: second).state == .pending)
        settle(&names, service, answers: 2, now: second)
        #expect(text(names.group(7, now: second).bytes) == "group ann")
        #expect(text(names.user(7, now: second).bytes) == "ann")
        #expect(service.asked.load(ordering: .sequentiallyConsistent) == 2)
    }

    @Test func bytesOfAnyKind() {
        let service = Service()
        let longest = [UInt8](repeating: 0xff, count: 255)
        service.names.withLock {
            $0[1] = .name(longest)
            $0[2] = .name(longest + [1])
            $0[3] = .name([])
        }
        var names = make(service)
        for id: UInt32 in 1...3 { _ = names.user(id, now: second) }
        settle(&names, service, answers: 3, now: second)
        #expect(Array(names.user(1, now: second).bytes) == longest)
        #expect(names.user(2, now: second).state == .unknown)
        #expect(names.user(3, now: second).state == .unknown)
        #expect(names.user(.max, now: second).state == .unknown)
    }

    @Test func refresh() {
        let service = Service()
        service.name(7, "ann")
        var names = make(service)
        _ = names.user(7, now: second)
        settle(&names, service, answers: 1, now: second)
        service.name(7, "bob")
        #expect(text(names.user(7, now: 60 * second).bytes) == "ann")
        #expect(service.asked.load(ordering: .sequentiallyConsistent) == 1)
        // Still good while it is asked for again.
        #expect(text(names.user(7, now: 61 * second).bytes) == "ann")
        settle(&names, service, answers: 2, now: 61 * second)
        #expect(text(names.user(7, now: 61 * second).bytes) == "bob")
        service.names.withLock { $0[7] = UserNames.Resolved.none }
        _ = names.user(7, now: 130 * second)
        settle(&names, service, answers: 3, now: 130 * second)
        #expect(names.user(7, now: 130 * second).state == .unknown)
    }

    @Test func whatHasNoNameIsNotAskedForAtOnce() {
        let service = Service()
        var names = make(service)
        #expect(names.user(7, now: second).state == .pending)
        settle(&names, service, answers: 1, now: second)
        for step in 0..<29 { #expect(names.user(7, now: second + UInt64(step) * second).state == .unknown) }
        #expect(service.asked.load(ordering: .sequentiallyConsistent) == 1)
        service.name(7, "late")
        #expect(names.user(7, now: 32 * second).state == .unknown)
        settle(&names, service, answers: 2, now: 32 * second)
        #expect(text(names.user(7, now: 32 * second).bytes) == "late")
    }

    @Test func serviceThatFailsIsAskedAgainLater() {
        let service = Service()
        service.names.withLock { $0[7] = .failed }
        var names = make(service)
        _ = names.user(7, now: second)
        settle(&names, service, answers: 1, now: second)
        #expect(names.user(7, now: 5 * second).state == .unknown)
        #expect(service.asked.load(ordering: .sequentiallyConsistent) == 1)
        service.name(7, "ann")
        #expect(names.user(7, now: 6 * second).state == .unknown)
        settle(&names, service, answers: 2, now: 6 * second)
        #expect(text(names.user(7, now: 6 * second).bytes) == "ann")
    }

    /// The caller goes on, an id's events wait once and for so long only, requests and threads are bounded, and names come when it comes back.
    @Test func serviceThatHangs() {
        let service = Service()
        for id: UInt32 in 0..<1000 { service.name(id, "user \(id)") }
        var names = make(service, capacity: 2048)
        service.hangs.store(true, ordering: .sequentiallyConsistent)
        for id: UInt32 in 0..<1000 { _ = names.user(id, now: second) }
        #expect(names.user(0, now: second).state == .pending)
        #expect(names.user(0, now: second + 49_000_000).state == .pending)
        #expect(names.user(0, now: second + 50_000_000).state == .unknown)
        // The queue is full: nothing to wait for.
        #expect(names.user(999, now: second + 1).state == .unknown)
        #expect(names.refused >= 1000 - 66)
        let refused = names.refused
        for minute in UInt64(1)...60 {
            names.collect(now: minute * 60 * second)
            var known = 0
            for id: UInt32 in 0..<1000 where names.user(id, now: minute * 60 * second).state == .known { known += 1 }
            #expect(known == 0)
        }
        #expect(names.refused > refused)
        // One call hangs in each thread.
        #expect(service.asked.load(ordering: .sequentiallyConsistent) == 4)
        service.hangs.store(false, ordering: .sequentiallyConsistent)
        var now = 3700 * second
        until("names") {
            names.collect(now: now)
            now += second / 10
            return (0..<1000).allSatisfy { text(names.user($0, now: now).bytes) == "user \($0)" }
        }
    }

    @Test func oldNamesAreNotTrustedForEver() {
        let service = Service()
        service.name(7, "ann")
        var names = make(service)
        _ = names.user(7, now: second)
        settle(&names, service, answers: 1, now: second)
        service.hangs.store(true, ordering: .sequentiallyConsistent)
        #expect(text(names.user(7, now: 500 * second).bytes) == "ann")
        let generation = names.generation
        #expect(names.user(7, now: 602 * second).state == .unknown)
        #expect(names.generation != generation)
        service.hangs.store(false, ordering: .sequentiallyConsistent)
    }

    @Test func evictions() {
        let service = Service()
        for id: UInt32 in 0..<4000 { service.name(id, "user \(id)") }
        var names = make(service, capacity: 64)
        var known = 0
        for id: UInt32 in 0..<2000 {
            _ = names.user(id, now: second)
            until("\(id)") {
                names.collect(now: second)
                return names.user(id, now: second).state == .known || names.user(id, now: second).state == .unknown
            }
            // What was given out is whole until the next collect, whatever makes room meanwhile.
            let one = names.user(id, now: second)
            for other in UInt32(2000)..<2010 { _ = names.user(other, now: second) }
            if one.state == .known {
                known += 1
                #expect(text(one.bytes) == "user \(id)")
            }
        }
        #expect(known > 1900)
        #expect(names.evictions >= 2000 - 64)
    }

    @Test func filesGoFirstAndAreReadAgain() {
        let folder = AccountFolder()
        folder.write("passwd", "ann:x:7:7::/:\n")
        folder.write("group", "staff:x:7:\n")
        let service = Service()
        service.name(7, "other")
        var names = UserNames(passwd: "\(folder.path)/passwd", group: "\(folder.path)/group") { service.resolve($0, $1) }
        #expect(text(names.user(7, now: second).bytes) == "ann")
        #expect(text(names.group(7, now: second).bytes) == "staff")
        #expect(service.asked.load(ordering: .sequentiallyConsistent) == 0)
        let generation = names.generation
        folder.write("passwd", "barbara:x:7:7::/:\n")
        var now = second
        until("the new name") {
            now += second
            names.collect(now: now)
            return text(names.user(7, now: now).bytes) == "barbara"
        }
        #expect(names.generation != generation)
        #expect(text(names.group(7, now: now).bytes) == "staff")
        // With the file gone its names are NSS's.
        unlink("\(folder.path)/passwd")
        until("the service's name") {
            now += second
            names.collect(now: now)
            return text(names.user(7, now: now).bytes) == "other"
        }
    }

    @Test func realService() {
        guard case .name(let root) = UserNames.ask(.user, 0), case .name(let group) = UserNames.ask(.group, 0) else {
            Issue.record("no name of root's")
            return
        }
        #expect(root == Array("root".utf8) && group == Array("root".utf8))
        guard case .none = UserNames.ask(.user, 4_000_000_001) else {
            Issue.record("a name of nobody's")
            return
        }
        var names = UserNames()
        #expect(text(names.user(0, now: second).bytes) == "root")
    }
}
