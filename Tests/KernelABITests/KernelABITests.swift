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
        #expect(view.executableChanged == expected.next64())
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

    @Test func cgroup() throws {
        let record = filled(HV_KIND_CGROUP)
        var expected = Expected()
        guard let view = CgroupView(record.span.bytes) else { Issue.record("refused"); return }
        check(view.header, HV_KIND_CGROUP, &expected)
        #expect(view.cgroup == expected.next64())
        #expect(view.parent == expected.next64())
        #expect(UInt64(view.action) == expected.next())
        check(view.path, view.pathFlags, slot: HV_CGROUP_PATH.rawValue)
    }

    @Test func namespace() throws {
        let record = filled(HV_KIND_NAMESPACE)
        var expected = Expected()
        guard let view = NamespaceView(record.span.bytes) else { Issue.record("refused"); return }
        check(view.header, HV_KIND_NAMESPACE, &expected)
        check(view.actor, &expected)
        #expect(view.asked == expected.next64())
        #expect(UInt64(view.call) == expected.next())
        #expect(UInt64(view.error) == expected.next())
    }

    @Test func process() throws {
        let record = filled(HV_KIND_PROCESS)
        var expected = Expected()
        guard let view = ProcessView(record.span.bytes) else { Issue.record("refused"); return }
        check(view.header, HV_KIND_PROCESS, &expected)
        check(view.actor, &expected)
        check(view.executable, &expected)
        #expect(view.executableChanged == expected.next64())
        #expect(text(view.executablePath) == "a")
        #expect(text(view.cgroupPath) == "bb")
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
        #expect(view.value == expected.next64())
        #expect(view.value2 == expected.next64())
        #expect(UInt64(view.action) == expected.next())
        #expect(UInt64(view.error) == expected.next())
        #expect(UInt64(view.watch) == expected.next())
        #expect(UInt64(view.directoryDevice) == expected.next())
        #expect(UInt64(view.via) == expected.next())
        check(view.inner, view.flags(of: HV_FILE_INNER), slot: HV_FILE_INNER.rawValue)
        check(view.actorPath, view.flags(of: HV_FILE_ACTOR), slot: HV_FILE_ACTOR.rawValue)
        check(view.targetInner, view.flags(of: HV_FILE_TARGET_INNER), slot: HV_FILE_TARGET_INNER.rawValue)
        check(view.targetActorPath, view.flags(of: HV_FILE_TARGET_ACTOR), slot: HV_FILE_TARGET_ACTOR.rawValue)
        check(view.name, view.flags(of: HV_FILE_NAME), slot: HV_FILE_NAME.rawValue)
        check(view.targetName, view.flags(of: HV_FILE_TARGET_NAME), slot: HV_FILE_TARGET_NAME.rawValue)
        check(view.text, view.flags(of: HV_FILE_TEXT), slot: HV_FILE_TEXT.rawValue)
        check(view.text2, view.flags(of: HV_FILE_TEXT_2), slot: HV_FILE_TEXT_2.rawValue)
    }

    @Test func result() throws {
        let record = filled(HV_KIND_RESULT)
        var expected = Expected()
        guard let view = ResultView(record.span.bytes) else { Issue.record("refused"); return }
        check(view.header, HV_KIND_RESULT, &expected)
        #expect(view.operation == expected.next64())
        #expect(UInt64(view.tid) == expected.next())
        #expect(UInt64(view.error) == expected.next())
        #expect(view.value == expected.next64())
        check(view.object, &expected)
    }

    @Test func module() throws {
        let record = filled(HV_KIND_MODULE)
        var expected = Expected()
        guard let view = ModuleView(record.span.bytes) else { Issue.record("refused"); return }
        check(view.header, HV_KIND_MODULE, &expected)
        check(view.actor, &expected)
        check(view.file, &expected)
        #expect(view.fileChanged == expected.next64())
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
        #expect(MemoryLayout<hv_exec>.size == 352)
        #expect(MemoryLayout<hv_fork>.size == 192)
        #expect(MemoryLayout<hv_exit>.size == 184)
        #expect(MemoryLayout<hv_file>.size == 384)
        #expect(MemoryLayout<hv_result>.size == 104)
        #expect(MemoryLayout<hv_module>.size == 280)
        #expect(MemoryLayout<hv_counter>.size == 152)
        #expect(MemoryLayout<hv_tenant>.size == 144)
        #expect(MemoryLayout<hv_inode_key>.size == 16)
        #expect(MemoryLayout<hv_watch>.size == 8)
        #expect(MemoryLayout<hv_identity>.size == 24)
        #expect(MemoryLayout<hv_settings>.size == 120)
    }
}

/// A file record's string slots, and which bytes a view finds for them.
@Suite("Strings that are the end of the next one")
struct SuffixTests {
    private struct Slot {
        var text = ""
        var length: UInt16?
        var flags: Int32 = 0
        /// Not carried.
        static func end(_ length: UInt16, flags: Int32 = 0) -> Self { Self(length: length, flags: flags | HV_STRING_SUFFIX) }
    }

    private func record(_ slots: [hv_file_string: Slot]) -> [UInt8] {
        var file = hv_file()
        file.header.kind = UInt16(HV_KIND_FILE.rawValue)
        var bytes = withUnsafeBytes(of: file) { [UInt8]($0) }
        for number in 0..<HV_FILE_STRINGS.rawValue {
            let slot = slots[hv_file_string(number)] ?? Slot()
            let string = hv_string(length: slot.length ?? UInt16(slot.text.utf8.count), flags: UInt16(slot.flags))
            let place = (MemoryLayout<hv_file>.offset(of: \.strings) ?? 0) + Int(number) * MemoryLayout<hv_string>.stride
            bytes.withUnsafeMutableBytes { $0.storeBytes(of: string, toByteOffset: place, as: hv_string.self) }
            bytes += Array(slot.text.utf8)
        }
        let size = UInt32(bytes.count)
        bytes.withUnsafeMutableBytes { $0.storeBytes(of: size, as: UInt32.self) }
        return bytes
    }

    /// INNER, ACTOR, TARGET_INNER, TARGET_ACTOR, NAME, TEXT; nil where it is no record.
    private func strings(_ slots: [hv_file_string: Slot]) -> [String]? {
        let bytes = record(slots)
        guard let view = FileView(bytes.span.bytes) else { return nil }
        return [text(view.inner), text(view.actorPath), text(view.targetInner), text(view.targetActorPath), text(view.name), text(view.text)]
    }

    @Test func endOfTheNext() {
        #expect(
            strings([HV_FILE_INNER: .end(7), HV_FILE_ACTOR: Slot(text: "/home/etc/a.b"), HV_FILE_TEXT: Slot(text: "text")])
                == ["etc/a.b", "/home/etc/a.b", "", "", "", "text"])
        #expect(
            strings([
                HV_FILE_INNER: .end(2), HV_FILE_ACTOR: Slot(text: "/a"), HV_FILE_TARGET_INNER: .end(1), HV_FILE_TARGET_ACTOR: Slot(text: "/cd"),
                HV_FILE_NAME: Slot(text: "n"), HV_FILE_TEXT: Slot(text: "text"),
            ]) == ["/a", "/a", "d", "/cd", "n", "text"])
    }

    @Test func emptyAndWhole() {
        #expect(strings([HV_FILE_INNER: .end(0), HV_FILE_ACTOR: Slot(text: "/a")]) == ["", "/a", "", "", "", ""])
        #expect(strings([HV_FILE_INNER: .end(0)]) == ["", "", "", "", "", ""])
        #expect(strings([HV_FILE_INNER: .end(2), HV_FILE_ACTOR: Slot(text: "/a")]) == ["/a", "/a", "", "", "", ""])
    }

    @Test func corrupt() {
        let tail: [hv_file_string: Slot] = [HV_FILE_TARGET_ACTOR: Slot(text: "/long/enough"), HV_FILE_TEXT: Slot(text: "/long/enough")]
        func merged(_ slots: [hv_file_string: Slot]) -> [String]? { strings(slots.merging(tail) { mine, _ in mine }) }
        // Longer than the next, by one and by all that there is.
        #expect(merged([HV_FILE_INNER: .end(3), HV_FILE_ACTOR: Slot(text: "/a")]) == nil)
        #expect(merged([HV_FILE_INNER: .end(.max), HV_FILE_ACTOR: Slot(text: "/a")]) == nil)
        #expect(merged([HV_FILE_INNER: .end(1)]) == nil)
        // The next is not carried either, and there is none behind the last.
        #expect(merged([HV_FILE_INNER: .end(1), HV_FILE_ACTOR: .end(1), HV_FILE_TARGET_INNER: Slot(text: "/a")]) == nil)
        #expect(merged([HV_FILE_INNER: .end(0), HV_FILE_ACTOR: .end(1), HV_FILE_TARGET_INNER: Slot(text: "/a")]) == nil)
        #expect(merged([HV_FILE_TEXT_2: .end(0)]) == nil)
        // What is carried must be there whole all the same.
        var cut = record([HV_FILE_INNER: .end(2), HV_FILE_ACTOR: Slot(text: "/a")])
        cut.removeLast()
        let size = UInt32(cut.count)
        cut.withUnsafeMutableBytes { $0.storeBytes(of: size, as: UInt32.self) }
        let refused = FileView(cut.span.bytes) == nil ? true : false
        #expect(refused)
    }

    /// How a string is carried is not said of it.
    @Test func flags() {
        let bytes = record([HV_FILE_INNER: .end(1, flags: HV_STRING_TRUNCATED), HV_FILE_ACTOR: Slot(text: "/a")])
        guard let view = FileView(bytes.span.bytes) else { Issue.record("refused"); return }
        let (inner, actor) = (view.flags(of: HV_FILE_INNER), view.flags(of: HV_FILE_ACTOR))
        #expect(inner == .truncated && actor == [])
    }
}

extension hv_file_string: @retroactive Hashable {}
