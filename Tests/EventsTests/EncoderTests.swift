import KernelABI
import Rings
import Testing

@testable import Events

@Suite("Records to ECS")
struct EncoderTests {
    private let boot = Records.bootID

    /// A whole event, byte for byte: the contract as programs see it.
    @Test func goldenExec() throws {
        let line = """
            {"@timestamp":"2024-02-29T12:00:00.123456789Z","ecs":{"version":"9.3.0"},"agent":{"name":"hypervigil","version":"0.1.0",\
            "id":"0123456789abcdef0123456789abcdef"},"host":{"id":"0123456789abcdef0123456789abcdef","name":"host-1",\
            "boot":{"id":"\(boot)"}},"event":{"id":"\(boot)-0123456789abcdef-r1c3-42","kind":"event","category":["process"],\
            "type":["start"],"action":"exec","outcome":"success","severity":10},"process":{"pid":1234,"thread":{"id":1235},\
            "entity_id":"\(boot)-1234-999000000001","start":"2024-02-29T11:59:59.000000001Z","name":"bash","saved_user":{"id":"2"},\
            "saved_group":{"id":"3"},"parent":{"pid":1000,"entity_id":"\(boot)-1000-5000000002","name":"sshd"},"interactive":true,\
            "tty":{"char_device":{"major":136,"minor":2}},"executable":"/usr/bin/bash","working_directory":"/root",\
            "args":["bash","-c","echo hi"],"args_count":3,"command_line":"bash -c echo hi"},"user":{"id":"1000",\
            "effective":{"id":"0","group":{"id":"1"}},"audit":{"id":"1000"}},"group":{"id":"1001"},\
            "hypervigil":{"monotonic":"1000123456789","process":{"capabilities":"000001ffffffffff",\
            "namespaces":{"mount":"4026531841","pid":"4026531836","user":"4026531837","network":"4026531840","ipc":"4026531839",\
            "uts":"4026531838","cgroup":"4026531835"},"cgroup":{"id":"4711","path":"/user.slice/session-1.scope"},"session":"7",\
            "flags":["used_super_privileges"],"filename":"./bash","executable":{"inode":"1234567","device":"8:1","mode":"0755",\
            "uid":"0","gid":"0","size":1234376,"type":"file"},"before":{"uid":"1000","euid":"1000","suid":"1000","gid":"1001",\
            "egid":"1001","sgid":"1001","capabilities":"0000000000000000"}}}}

            """
        #expect(String(decoding: try #require(encode(Records.exec())), as: UTF8.self) == line)
    }

    @Test func failedExec() throws {
        let event = try parse(encode(Records.exec(arguments: [], flags: 0, error: -13)))
        #expect(event["event.outcome"]?.text == "failure")
        #expect(event["error.code"]?.text == "EACCES")
        #expect(event["process.name"]?.text == "bash")
        #expect(event["process.executable"] == nil && event["process.args"] == nil && event["process.args_count"] == nil)
        #expect(event["hypervigil.process.filename"]?.text == "./bash")
        #expect(event["hypervigil.process.executable"] == nil && event["hypervigil.process.before"] == nil)
    }

    @Test func execDetails() throws {
        let script = try parse(
            encode(
                Records.exec(interpreter: Array("/bin/sh".utf8), flags: HV_EXEC_SCRIPT | HV_EXEC_ARGS_TRUNCATED, stringFlags: [2, 1, 0, 1])
                {
                    $0.script = Records.object(inode: 5)
                    $0.args_count = 9000
                    $0.args_size = 100_000
                    $0.old_tid = 99
                }))
        #expect(script["hypervigil.process.interpreter"]?.text == "/bin/sh")
        #expect(script["hypervigil.process.script.inode"]?.text == "5")
        #expect(script["process.args_count"]?.integer == 9000)
        #expect(script["hypervigil.process.args_truncated"] == .bool(true))
        #expect(script["hypervigil.process.args_size"]?.integer == 100_000)
        #expect(script["hypervigil.process.calling_thread"]?.integer == 99)
        #expect(script["hypervigil.process.truncated"]?.texts == ["filename", "working_directory"])
        #expect(script["hypervigil.process.unreadable"] == nil)
        #expect(script["hypervigil.path.flags"]?.texts == ["deleted"])
        let memfd = try parse(encode(Records.exec(flags: HV_EXEC_FILELESS | HV_EXEC_MEMFD)))
        #expect(memfd["hypervigil.process.fileless"] == .bool(true) && memfd["hypervigil.process.memfd"] == .bool(true))
        #expect(memfd["event.severity"]?.integer == 60)
        #expect(try parse(encode(Records.exec()))["hypervigil.process.fileless"] == nil)
    }

    @Test func absentIdentities() throws {
        var actor = Records.actor()
        (actor.login_uid, actor.session, actor.tty, actor.ns_mount, actor.task_flags) = (.max, .max, 0, 0, 0x0040_0000)
        let event = try parse(encode(Records.exit(actor: actor)))
        #expect(event["user.audit"] == nil && event["hypervigil.process.session"] == nil && event["process.tty"] == nil)
        #expect(event["process.interactive"] == .bool(false))
        #expect(event["hypervigil.process.namespaces.mount"] == nil && event["hypervigil.process.namespaces.pid"]?.text == "4026531836")
        #expect(event["hypervigil.process.flags"] == nil)
    }

    @Test func exitCodesAndSignals() throws {
        let code = try parse(encode(Records.exit(status: 3 << 8)))
        #expect(code["process.exit_code"]?.integer == 3 && code["hypervigil.process.signal"] == nil)
        let killed = try parse(encode(Records.exit(status: 0x80 | 11)))
        #expect(killed["process.exit_code"] == nil && killed["hypervigil.process.signal"]?.integer == 11)
        #expect(killed["hypervigil.process.core_dumped"] == .bool(true))
    }

    @Test func forker() throws {
        #expect(try parse(encode(Records.fork()))["hypervigil.process.forker"] == nil)
        let event = try parse(encode(Records.fork(forker: 9, forkerStart: 8)))
        #expect(event["hypervigil.process.forker.pid"]?.integer == 9)
        #expect(event["hypervigil.process.forker.entity_id"]?.text == "\(boot)-9-8")
    }

    @Test func ordinal() throws {
        var resolution = Resolution()
        resolution.ordinal = 2
        #expect(try parse(encode(Records.exec(), resolution))["event.id"]?.text == "\(boot)-0123456789abcdef-r1c3-42-2")
    }

    @Test func fileOutcomes() throws {
        func outcome(_ record: [UInt8], _ joined: Outcome? = nil) throws -> [String?] {
            var resolution = Resolution()
            resolution.outcome = joined
            let event = try parse(encode(record, resolution))
            return [event["event.outcome"]?.text, event["error.code"]?.text]
        }
        let pending = Records.file(HV_FILE_DELETE, flags: HV_FILE_PENDING)
        #expect(try outcome(Records.file(HV_FILE_DELETE)) == ["success", nil])
        #expect(try outcome(Records.file(HV_FILE_DELETE, error: -30)) == ["failure", "EROFS"])
        #expect(try outcome(pending) == ["unknown", nil])
        #expect(try outcome(pending, Outcome(error: -1)) == ["failure", "EPERM"])
        #expect(try outcome(pending, Outcome(error: 0)) == ["success", nil])
        #expect(try outcome(Records.file(HV_FILE_DELETE), .unknown) == ["unknown", nil])
        #expect(try outcome(Records.module(HV_MODULE_REQUEST)) == ["unknown", nil])
        #expect(try outcome(Records.module(flags: HV_MODULE_RESULT_UNKNOWN)) == ["unknown", nil])
    }

    @Test func write() throws {
        let event = try parse(encode(Records.file(flags: HV_FILE_CLOSED | HV_FILE_IO_URING)))
        #expect(event["hypervigil.write.operations"]?.integer == 17 && event["hypervigil.write.size_before"]?.integer == 4096)
        #expect(event["hypervigil.write.first"]?.text == "2024-02-29T12:00:00.000000000Z")
        #expect(event["hypervigil.write.last"]?.text == "2024-02-29T12:00:00.100000000Z")
        #expect(event["hypervigil.write.via"]?.text == "io_uring" && event["hypervigil.write.open"] == .bool(false))
        #expect(event["hypervigil.write.owner"] == .bool(true))
        #expect(event["file.mtime"]?.text == "2023-11-14T22:13:20.123456789Z" && event["file.mode"]?.text == "0644")
        #expect(event["file.type"]?.text == "file" && event["file.device"]?.text == "8:1" && event["file.size"]?.integer == 1_234_376)
        let open = try parse(encode(Records.file(flags: HV_FILE_OPEN)))
        #expect(open["hypervigil.write.open"] == .bool(true) && open["hypervigil.write.via"] == nil && open["hypervigil.write.owner"] == nil)
    }

    @Test func rename() throws {
        let record = Records.file(HV_FILE_RENAME, targetInner: Array("/b".utf8), targetActor: Array("/mnt/b".utf8), flags: HV_FILE_EXCHANGE)
        {
            $0.target = Records.object(inode: 77, mode: 0o100600)
        }
        let event = try parse(encode(record))
        #expect(event["file.path"]?.text == "/etc/passwd" && event["file.target_path"]?.text == "/mnt/b")
        #expect(event["hypervigil.target.inode"]?.text == "77" && event["hypervigil.target.mode"]?.text == "0600")
        #expect(event["hypervigil.target.exchange"] == .bool(true) && event["hypervigil.target.inner"]?.text == "/b")
        #expect(event["hypervigil.target.actor"] == nil, "the same as file.target_path")
    }

    /// Directory, name and extension of paths that tempt to get them wrong.
    @Test(
        arguments: [
            ("/a/b.txt", "/a", "b.txt", "txt"), ("/b", "/", "b", nil), ("/a/.bashrc", "/a", ".bashrc", nil), ("/a/b.", "/a", "b.", nil),
            ("/a.d/b", "/a.d", "b", nil), ("/a/x.tar.gz", "/a", "x.tar.gz", "gz"), ("relative", nil, "relative", nil), ("/", "/", nil, nil),
            ("/a/.x.y", "/a", ".x.y", "y"),
        ] as [(String, String?, String?, String?)])
    func pathParts(_ path: String, _ directory: String?, _ name: String?, _ suffix: String?) throws {
        let event = try parse(encode(Records.file(actorPath: Array(path.utf8))))
        #expect(event["file.path"]?.text == path)
        #expect(event["file.directory"]?.text == directory)
        #expect(event["file.name"]?.text == name)
        #expect(event["file.extension"]?.text == suffix)
    }

    @Test func hostPathsAndFlags() throws {
        let host = Array("/srv/container/etc/passwd".utf8)
        let resolved = try host.withUnsafeBytes {
            var resolution = Resolution()
            resolution.path = $0
            resolution.pathFlags = .deleted
            return try parse(encode(Records.file(stringFlags: [1, 4]), resolution))
        }
        #expect(resolved["file.path"]?.text == "/srv/container/etc/passwd")
        #expect(resolved["hypervigil.path.flags"]?.texts == ["truncated", "deleted"])
        #expect(resolved["hypervigil.path.actor"]?.text == "/etc/passwd" && resolved["hypervigil.path.inner"]?.text == "/etc/passwd")
        let unresolved = try parse(encode(Records.file(inner: Array("/x".utf8), actorPath: [], stringFlags: [2])))
        #expect(unresolved["file.path"]?.text == "/x")
        #expect(unresolved["hypervigil.path.flags"]?.texts == ["deleted", "unreachable"])
    }

    @Test func module() throws {
        let event = try parse(encode(Records.module(taints: 1 << 12 | 1 << 13 | 1 << 63)))
        #expect(event["hypervigil.module.name"]?.text == "dummy" && event["hypervigil.module.args"]?.text == "numdummies=2")
        #expect(event["hypervigil.module.taints"]?.texts == ["oot_module", "unsigned_module", "bit_63"])
        #expect(event["hypervigil.module.in_tree"] == .bool(false) && event["hypervigil.module.signed"] == .bool(false))
        #expect(event["hypervigil.module.source"]?.text == "file" && event["file.inode"]?.text == "1234567")
        #expect(event["event.id"]?.text == "\(boot)-0123456789abcdef-r0c3-42")
        let memory = try parse(
            encode(
                Records.module(file: [], inner: [], hint: Array("/x.ko.xz".utf8), source: HV_MODULE_SOURCE_MEMORY, flags: 0) {
                    $0.args_size = 5000
                }))
        #expect(memory["hypervigil.module.source"]?.text == "memory" && memory["hypervigil.module.file_hint"]?.text == "/x.ko.xz")
        #expect(memory["hypervigil.module.hint.inode"]?.text == "1234567" && memory["file"] == nil)
        #expect(memory["hypervigil.module.signed"] == nil && memory["hypervigil.module.taints"] == nil, "not known is not said")
        #expect(memory["hypervigil.module.args_truncated"] == .bool(true))
        let request = try parse(encode(Records.module(HV_MODULE_REQUEST) { $0.wait = 1 }))
        #expect(request["hypervigil.module.wait"] == .bool(true) && request["hypervigil.module.args"] == nil)
    }

    @Test func monitorEvents() throws {
        let lost = try parse(Samples.encode(Samples.monitor[3]))
        #expect(lost["event.id"]?.text == "\(boot)-0123456789abcdef-u-3")
        #expect(lost["hypervigil.lost.count"]?.integer == 12 && lost["hypervigil.lost.cpu"]?.integer == 1)
        #expect(lost["hypervigil.lost.ring"]?.integer == 2 && lost["hypervigil.lost.kinds"]?.texts == ["exec", "file"])
        #expect(lost["hypervigil.lost.from"]?.text == "2024-02-29T11:43:20.000000001Z")
        #expect(lost["message"]?.text == "12 events lost: ring full")
        let unknown = try parse(Samples.encode(Samples.monitor[4]))
        #expect(unknown["hypervigil.lost.count"] == nil && unknown["hypervigil.lost.cpu"] == nil)
        #expect(unknown["hypervigil.lost.kinds"]?.texts == [])
        #expect(unknown["hypervigil.lost.cgroup"] == nil)
        let throttled = try parse(Samples.encode(Samples.monitor[5]))
        #expect(throttled["hypervigil.lost.kinds"]?.texts == ["file", "throttled"])
        // An identifier: a string, since it may pass 2^53.
        #expect(throttled["hypervigil.lost.cgroup.id"]?.text == "1152921504606846976")
        let degraded = try parse(Samples.encode(Samples.monitor[2]))
        #expect(degraded["event.kind"]?.text == "state" && degraded["hypervigil.degraded.reason"]?.text == "EPERM: no \"fentry\"\n")
        #expect(try parse(Samples.encode(Samples.monitor[1]))["hypervigil.monitor.events"]?.integer == 7)
    }

    /// One encoder and one writer for many events: nothing of one is left in the next.
    @Test func reuse() throws {
        var encoder = ECSEncoder(context: Records.context(), realtimeOffset: Records.offset)
        var writer = ByteWriter(capacity: 64)
        let hostile = Records.exec(executable: [0xff], filename: [0xff])
        for record in [hostile, Records.exec()] { encoder.encode(record: record.span.bytes, Resolution(), into: &writer) }
        let lines = writer.withBytes { [UInt8]($0) }.split(separator: UInt8(ascii: "\n")).map { Array($0) + [0x0a] }
        #expect(lines.count == 2)
        #expect(try parse(lines[0])["hypervigil.raw.process.executable"]?.text == "/w==")
        #expect(lines[1] == encode(Records.exec()))
    }

    @Test func nothingToSayIsNotSaid() throws {
        let path = Array("/a".utf8)
        try path.withUnsafeBytes {
            var resolution = Resolution()
            resolution.path = $0
            for record in [
                Records.file(HV_FILE_RENAME, inner: path, actorPath: path), Records.module(file: path, inner: path),
            ] {
                let event = try parse(encode(record, resolution))
                #expect(event["file.path"]?.text == "/a" && event["hypervigil.path"] == nil && event["hypervigil.target"] == nil)
            }
        }
    }

    @Test func resultsAndUnknownsMakeNoEvent() {
        #expect(encode(Records.result(error: 0)) == nil)
        #expect(encode(Records.file(hv_file_action(rawValue: 99))) == nil)
        #expect(encode(Records.module(hv_module_action(rawValue: 0))) == nil)
    }
}
