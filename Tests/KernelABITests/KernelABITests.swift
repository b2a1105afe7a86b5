import KernelABI
import Rings
import Testing

/// What hv_layout_fill writes through the C structs, in the order of record.h: numbers count up from 1.
private struct Expected {
    private var last: UInt64 = 0

    mutating func next() -> UInt64 {
        last += 1
        return last
    }
    mutating func next64() -> UInt64 {
        let value = next()
        return value << 32 | value
    }
}

private func filled(_ kind: hv_kind) -> [UInt8] {
    [UInt8](unsafeUninitializedCapacity: Int(HV_LAYOUT_RECORD_MAX)) { buffer, count in
        count = Int(hv_layout_fill(UInt16(kind.rawValue), buffer.baseAddress))
    }
}

private func text(_ bytes: RawSpan) -> String { bytes.withUnsafeBytes { String(decoding: $0, as: UTF8.self) } }

@Suite("Record layout: C writes, Swift reads back")
struct LayoutTests {
    private func check(_ header: borrowing HeaderView, _ kind: hv_kind, _ expected: inout Expected) {
        #expect(Int(header.size) == header.bytes.byteCount)
        #expect(UInt32(header.kind) == kind.rawValue)
        #expect(UInt64(header.flags) == expected.next())
        #expect(header.sequence == expected.next64())
        #expect(header.time == expected.next64())
        #expect(UInt64(header.ring) == expected.next())
        #expect(UInt64(header.cpu) == expected.next())
    }

    private func check(_ actor: borrowing ActorView, _ expected: inout Expected) {
        #expect(actor.start == expected.next64())
        #expect(actor.parentStart == expected.next64())
        #expect(actor.cgroup == expected.next64())
        #expect(actor.capabilities == expected.next64())
        #expect(UInt64(actor.pid) == expected.next())
        #expect(UInt64(actor.tid) == expected.next())
        #expect(UInt64(actor.parentPid) == expected.next())
        #expect(UInt64(actor.uid) == expected.next())
        #expect(UInt64(actor.gid) == expected.next())
        #expect(UInt64(actor.effectiveUid) == expected.next())
        #expect(UInt64(actor.effectiveGid) == expected.next())
        #expect(UInt64(actor.savedUid) == expected.next())
        #expect(UInt64(actor.savedGid) == expected.next())
        #expect(UInt64(actor.loginUid) == expected.next())
        #expect(UInt64(actor.session) == expected.next())
        #expect(UInt64(actor.terminal) == expected.next())
        #expect(UInt64(actor.taskFlags) == expected.next())
        #expect(UInt64(actor.mountNamespace) == expected.next())
        #expect(UInt64(actor.pidNamespace) == expected.next())
        #expect(UInt64(actor.userNamespace) == expected.next())
        #expect(UInt64(actor.networkNamespace) == expected.next())
        #expect(UInt64(actor.ipcNamespace) == expected.next())
        #expect(UInt64(actor.utsNamespace) == expected.next())
        #expect(UInt64(actor.cgroupNamespace) == expected.next())
        #expect(text(actor.name) == "actor")
        #expect(text(actor.parentName) == "0123456789abcdef")
    }

    private func check(_ object: hv_object, _ expected: inout Expected) {
        #expect(object.inode == expected.next64())
        #expect(object.size == expected.next64())
        #expect(object.mtime == expected.next64())
        #expect(UInt64(object.device) == expected.next())
        #expect(UInt64(object.generation) == expected.next())
        #expect(UInt64(object.mode) == expected.next())
        #expect(UInt64(object.links) == expected.next())
        #expect(UInt64(object.uid) == expected.next())
        #expect(UInt64(object.gid) == expected.next())
    }

    private func check(_ string: RawSpan, _ flags: StringFlags, slot: UInt32) {
        #expect(text(string) == String(repeating: Character(Unicode.Scalar(UInt8(ascii: "a") + UInt8(slot))), count: Int(slot) + 1))
        #expect(UInt32(flags.rawValue) == slot + 1)
    }

    @Test func exec() throws {
        let record = filled(HV_KIND_EXEC)
        var expected = Expected()
        guard let view = ExecView(record.span.bytes) else { Issue.record("refused"); return }
        check(view.header, HV_KIND_EXEC, &expected)
        check(view.actor, &expected)
        check(view.executableObject, &expected)
        check(view.scriptObject, &expected)
        #expect(view.before.capabilities == expected.next64())
        #expect(UInt64(view.before.uid) == expected.next())
        #expect(UInt64(view.before.gid) == expected.next())
        #expect(UInt64(view.before.euid) == expected.next())
        #expect(UInt64(view.before.egid) == expected.next())
        #expect(UInt64(view.before.suid) == expected.next())
        #expect(UInt64(view.before.sgid) == expected.next())
        #expect(UInt64(view.argumentCount) == expected.next())
        #expect(UInt64(view.argumentSize) == expected.next())
        #expect(UInt64(view.error) == expected.next())
        #expect(UInt64(view.callingThread) == expected.next())
        check(view.executable, view.flags(of: HV_EXEC_EXECUTABLE), slot: HV_EXEC_EXECUTABLE.rawValue)
        check(view.filename, view.flags(of: HV_EXEC_FILENAME), slot: HV_EXEC_FILENAME.rawValue)
        check(view.interpreter, view.flags(of: HV_EXEC_INTERPRETER), slot: HV_EXEC_INTERPRETER.rawValue)
        check(view.directory, view.flags(of: HV_EXEC_DIRECTORY), slot: HV_EXEC_DIRECTORY.rawValue)
        check(view.cgroupPath, view.flags(of: HV_EXEC_CGROUP), slot: HV_EXEC_CGROUP.rawValue)
        check(view.arguments, view.flags(of: HV_EXEC_ARGS), slot: HV_EXEC_ARGS.rawValue)
    }

    @Test func fork() throws {
        let record = filled(HV_KIND_FORK)
        var expected = Expected()
        guard let view = ForkView(record.span.bytes) else { Issue.record("refused"); return }
        check(view.header, HV_KIND_FORK, &expected)
        check(view.actor, &expected)
        #expect(view.forkerStart == expected.next64())
        #expect(UInt64(view.forkerPid) == expected.next())
    }

    @Test func exit() throws {
        let record = filled(HV_KIND_EXIT)
        var expected = Expected()
        guard let view = ExitView(record.span.bytes) else { Issue.record("refused"); return }
        check(view.header, HV_KIND_EXIT, &expected)
        check(view.actor, &expected)
        #expect(UInt64(view.status) == expected.next())
    }

    @Test func file() throws {
        let record = filled(HV_KIND_FILE)
        var expected = Expected()
        guard let view = FileView(record.span.bytes) else { Issue.record("refused"); return }
        check(view.header, HV_KIND_FILE, &expected)
        check(view.actor, &expected)
        check(view.object, &expected)
        check(view.target, &expected)
        #expect(view.operation == expected.next64())
        #expect(view.operations == expected.next64())
        #expect(view.sizeBefore == expected.next64())
        #expect(view.first == expected.next64())
        #expect(view.last == expected.next64())
        #expect(UInt64(view.action) == expected.next())
        #expect(UInt64(view.error) == expected.next())
        #expect(UInt64(view.watch) == expected.next())
        #expect(UInt64(view.directoryDevice) == expected.next())
        check(view.inner, view.flags(of: HV_FILE_INNER), slot: HV_FILE_INNER.rawValue)
        check(view.actorPath, view.flags(of: HV_FILE_ACTOR), slot: HV_FILE_ACTOR.rawValue)
        check(view.targetInner, view.flags(of: HV_FILE_TARGET_INNER), slot: HV_FILE_TARGET_INNER.rawValue)
        check(view.targetActorPath, view.flags(of: HV_FILE_TARGET_ACTOR), slot: HV_FILE_TARGET_ACTOR.rawValue)
        check(view.name, view.flags(of: HV_FILE_NAME), slot: HV_FILE_NAME.rawValue)
        check(view.targetName, view.flags(of: HV_FILE_TARGET_NAME), slot: HV_FILE_TARGET_NAME.rawValue)
    }

    @Test func result() throws {
        let record = filled(HV_KIND_RESULT)
        var expected = Expected()
        guard let view = ResultView(record.span.bytes) else { Issue.record("refused"); return }
        check(view.header, HV_KIND_RESULT, &expected)
        #expect(view.operation == expected.next64())
        #expect(UInt64(view.tid) == expected.next())
        #expect(UInt64(view.error) == expected.next())
    }

    @Test func module() throws {
        let record = filled(HV_KIND_MODULE)
        var expected = Expected()
        guard let view = ModuleView(record.span.bytes) else { Issue.record("refused"); return }
        check(view.header, HV_KIND_MODULE, &expected)
        check(view.actor, &expected)
        check(view.file, &expected)
        #expect(view.taints == expected.next64())
        #expect(UInt64(view.action) == expected.next())
        #expect(UInt64(view.source) == expected.next())
        #expect(UInt64(view.error) == expected.next())
        #expect(UInt64(view.argumentSize) == expected.next())
        let waits = view.waits
        #expect(waits)
        check(view.name, view.flags(of: HV_MODULE_NAME), slot: HV_MODULE_NAME.rawValue)
        check(view.arguments, view.flags(of: HV_MODULE_ARGS), slot: HV_MODULE_ARGS.rawValue)
        check(view.filePath, view.flags(of: HV_MODULE_FILE), slot: HV_MODULE_FILE.rawValue)
        check(view.fileInner, view.flags(of: HV_MODULE_FILE_INNER), slot: HV_MODULE_FILE_INNER.rawValue)
        check(view.hint, view.flags(of: HV_MODULE_HINT), slot: HV_MODULE_HINT.rawValue)
    }

    /// The same sizes as the asserts in record.h: Swift sees the structs as C does.
    @Test func sizes() {
        #expect(MemoryLayout<hv_header>.size == 32)
        #expect(MemoryLayout<hv_string>.size == 4)
        #expect(MemoryLayout<hv_actor>.size == 144)
        #expect(MemoryLayout<hv_object>.size == 48)
        #expect(MemoryLayout<hv_credentials>.size == 32)
        #expect(MemoryLayout<hv_exec>.size == 344)
        #expect(MemoryLayout<hv_fork>.size == 192)
        #expect(MemoryLayout<hv_exit>.size == 184)
        #expect(MemoryLayout<hv_file>.size == 352)
        #expect(MemoryLayout<hv_result>.size == 48)
        #expect(MemoryLayout<hv_module>.size == 272)
        #expect(MemoryLayout<hv_counter>.size == 80)
        #expect(MemoryLayout<hv_inode_key>.size == 16)
        #expect(MemoryLayout<hv_watch>.size == 8)
        #expect(MemoryLayout<hv_identity>.size == 24)
        #expect(MemoryLayout<hv_settings>.size == 48)
    }
}
