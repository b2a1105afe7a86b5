import Events
import Glibc
import Testing

@testable import Attribution

private let second: UInt64 = 1_000_000_000

/// As systemd 252 writes it.
private let session = """
    # This is private data. Do not parse.
    UID=1000
    USER=ann
    ACTIVE=1
    IS_DISPLAY=1
    STATE=active
    REMOTE=1
    LEADER_FD_SAVED=1
    TYPE=tty
    ORIGINAL_TYPE=tty
    CLASS=user
    SCOPE=session-7.scope
    FIFO=/run/systemd/sessions/7.ref
    TTY=pts/2
    REMOTE_HOST=192.0.2.7
    SERVICE=sshd
    LEADER=1234
    AUDIT=7
    REALTIME=1700000000000000
    MONOTONIC=1000000

    """

private func parse(_ content: String, _ id: UInt32 = 7) -> SessionFacts? { SessionFile.parse(Array(content.utf8), session: id) }

private func facts(_ remote: String, _ terminal: String) -> SessionFacts {
    SessionFacts(remote: Array(remote.utf8), terminal: Array(terminal.utf8))
}

private func record(
    _ kind: Int32 = USER_PROCESS, pid: Int32 = 10, line: String = "pts/2", user: String = "ann", host: String = "192.0.2.7"
) -> [UInt8] {
    var record = utmp()
    record.ut_type = Int16(kind)
    record.ut_pid = pid
    withUnsafeMutableBytes(of: &record.ut_line) { $0.copyBytes(from: line.utf8.prefix($0.count)) }
    withUnsafeMutableBytes(of: &record.ut_user) { $0.copyBytes(from: user.utf8.prefix($0.count)) }
    withUnsafeMutableBytes(of: &record.ut_host) { $0.copyBytes(from: host.utf8.prefix($0.count)) }
    return withUnsafeBytes(of: record) { Array($0) }
}

private func find(_ bytes: [UInt8], _ terminal: String = "pts/2", _ user: String = "ann") -> SessionFacts? {
    LoginRecords.parse(bytes, terminal: Array(terminal.utf8), user: Array(user.utf8)) { $0 == 10 }
}

struct SessionTests {
    @Test func sessionFile() {
        #expect(parse(session) == facts("192.0.2.7", "pts/2"))
        // Another audit session's, and one that is none.
        #expect(parse(session, 8) == nil)
        #expect(parse("TTY=pts/2\n") == nil)
        #expect(parse("UID=x\n") == nil)
        #expect(parse("UID=0\n") == facts("", ""))
        #expect(parse("UID=0\nREMOTE_HOST=fe80::1%eth0\nTTY=\n=\nx\n", 1) == facts("fe80::1%eth0", ""))
    }

    @Test(arguments: ["a b", "a\u{1}b", "a\"b", "a\\b", "é", String(repeating: "a", count: 256)])
    func strangeHostsAreNone(_ host: String) {
        #expect(parse("UID=0\nREMOTE_HOST=\(host)\n") == facts("", ""))
    }

    @Test func loginRecords() {
        #expect(find(record()) == facts("192.0.2.7", "pts/2"))
        #expect(find(record(LOGIN_PROCESS)) == nil)
        #expect(find(record(DEAD_PROCESS)) == nil)
        #expect(find(record(pid: 11)) == nil, "a session that crashed")
        #expect(find(record(line: "pts/20")) == nil)
        #expect(find(record(user: "bob")) == nil)
        #expect(find(record(), "", "ann") == nil && find(record(line: "", user: ""), "", "") == nil)
        #expect(find(record(host: "")) == facts("", "pts/2"))
        #expect(find(record(line: "tty1") + record(pid: 11, host: "old") + record(host: "new")) == facts("new", "pts/2"))
        let long = String(repeating: "u", count: 40)
        #expect(find(record(user: long), "pts/2", long) == facts("192.0.2.7", "pts/2"))
        // A record that is cut is none.
        #expect(find(Array(record().dropLast())) == nil)
    }

    @Test func terminals() {
        func name(_ major: UInt32, _ minor: UInt32) -> String { String(decoding: LoginRecords.terminal(major << 20 | minor), as: UTF8.self) }
        #expect(name(136, 2) == "pts/2" && name(136, 1000) == "pts/1000")
        #expect(name(4, 1) == "tty1" && name(4, 64) == "ttyS0" && name(0, 0).isEmpty && name(5, 0).isEmpty)
    }

    @Test func mutations() {
        var random = SeededGenerator(seed: 6)
        let text = Array(session.utf8)
        let records = record(pid: 11) + record()
        for _ in 0..<5000 {
            var content = text
            var bytes = records
            for _ in 0..<4 {
                content[Int.random(in: 0..<content.count, using: &random)] = UInt8.random(in: 0...255, using: &random)
                bytes[Int.random(in: 0..<bytes.count, using: &random)] = UInt8.random(in: 0...255, using: &random)
            }
            for facts in [SessionFile.parse(content, session: 7), find(bytes)] {
                #expect((facts?.remote ?? []).allSatisfy { $0 > 0x20 && $0 < 0x7f } && (facts?.remote.count ?? 0) <= 255)
            }
            _ = find(Array(bytes.prefix(Int.random(in: 0...bytes.count, using: &random))))
        }
    }

    private func ask(_ table: inout LoginSessions, _ id: UInt32, _ now: UInt64, terminal: UInt32 = 0, user: String = "ann") -> (NameState, String, String) {
        var facts = ActorFacts()
        let state = Array(user.utf8).withUnsafeBytes { table.fill(&facts, session: id, terminal: terminal, user: $0, now: now) }
        return (state, text(facts.sessionRemote), text(facts.sessionTerminal))
    }

    @Test func sessionsAreFoundAndStay() {
        let folder = AccountFolder()
        folder.write("7", session)
        var table = LoginSessions(folder: folder.path, utmp: "\(folder.path)/utmp")
        #expect(ask(&table, .max, second) == (.known, "", ""))
        #expect(ask(&table, 7, second) == (.pending, "", ""))
        let generation = table.generation
        until("the session") {
            table.collect(now: second)
            return table.generation != generation
        }
        #expect(ask(&table, 7, second) == (.known, "192.0.2.7", "pts/2"))
        unlink("\(folder.path)/7")
        #expect(ask(&table, 7, 10_000 * second) == (.known, "192.0.2.7", "pts/2"))
    }

    @Test func sessionThatIsNotThereYet() {
        let folder = AccountFolder()
        var table = LoginSessions(folder: folder.path, utmp: "\(folder.path)/utmp")
        #expect(ask(&table, 7, second).0 == .pending)
        until("the answer") {
            table.collect(now: second)
            return ask(&table, 7, second).0 == .unknown
        }
        folder.write("7", session)
        let generation = table.generation
        #expect(ask(&table, 7, 2 * second).0 == .unknown)
        until("the session") {
            table.collect(now: 2 * second)
            return table.generation != generation
        }
        #expect(ask(&table, 7, 2 * second) == (.known, "192.0.2.7", "pts/2"))
    }

    /// Without logind: utmp, by terminal and name.
    @Test func utmpIsTheFallback() {
        let folder = AccountFolder()
        let descriptor = open("\(folder.path)/utmp", O_WRONLY | O_CREAT, 0o644)
        let bytes = record(pid: getpid(), host: "host.example")
        #expect(write(descriptor, bytes, bytes.count) == bytes.count)
        close(descriptor)
        var table = LoginSessions(folder: "/nowhere", utmp: "\(folder.path)/utmp")
        _ = ask(&table, 7, second, terminal: 136 << 20 | 2)
        _ = ask(&table, 8, second, terminal: 136 << 20 | 2, user: "bob")
        let generation = table.generation
        until("the session") {
            table.collect(now: second)
            return table.generation != generation && ask(&table, 8, second).0 == .unknown
        }
        #expect(ask(&table, 7, second) == (.known, "host.example", "pts/2"))
        #expect(ask(&table, 8, second) == (.unknown, "", ""))
    }
}
