import Events
import KernelABI
import Rings

/// Builds records byte for byte as the kernel side does: the fixed part, then the strings back to back.
enum Records {
    static let bootID = "6f3a3a9e-5f3b-4c6e-9f5b-0a1b2c3d4e5f"
    static let hostID = "0123456789abcdef0123456789abcdef"
    static let runID: UInt64 = 0x0123_4567_89ab_cdef
    /// 2024-02-29T12:00:00Z minus a boot time of 1,000 s.
    static let offset: Int64 = 1_709_208_000_000_000_000 - 1_000_000_000_000

    static func context(hostName: String = "host-1") -> EncoderContext {
        EncoderContext(bootID: bootID, hostID: hostID, hostName: hostName, runID: runID, agentVersion: "0.1.0")
    }

    static func header(_ kind: hv_kind, flags: Int32 = 0, sequence: UInt64 = 42, ring: UInt16 = 1, cpu: UInt16 = 3) -> hv_header {
        hv_header(
            size: 0, kind: UInt16(kind.rawValue), flags: UInt16(flags), sequence: sequence, time: 1_000_123_456_789, ring: ring, cpu: cpu,
            reserved: 0)
    }

    static func actor(name: [UInt8] = Array("bash".utf8), parentName: [UInt8] = Array("sshd".utf8)) -> hv_actor {
        var actor = hv_actor()
        actor.start = 999_000_000_001
        actor.parent_start = 5_000_000_002
        actor.cgroup = 4711
        actor.capabilities = 0x1ff_ffff_ffff
        actor.pid = 1234
        actor.tid = 1235
        actor.parent_pid = 1000
        (actor.uid, actor.gid) = (1000, 1001)
        (actor.euid, actor.egid) = (0, 1)
        (actor.suid, actor.sgid) = (2, 3)
        actor.login_uid = 1000
        actor.session = 7
        actor.tty = 136 << 20 | 2
        actor.task_flags = 0x0040_0100
        actor.ns_mount = 4026531841
        actor.ns_pid = 4026531836
        actor.ns_user = 4026531837
        actor.ns_network = 4026531840
        actor.ns_ipc = 4026531839
        actor.ns_uts = 4026531838
        actor.ns_cgroup = 4026531835
        withUnsafeMutableBytes(of: &actor.comm) { $0.copyBytes(from: name.prefix(16)) }
        withUnsafeMutableBytes(of: &actor.parent_comm) { $0.copyBytes(from: parentName.prefix(16)) }
        return actor
    }

    static func object(inode: UInt64 = 1_234_567, mode: UInt32 = 0o100755) -> hv_object {
        hv_object(
            inode: inode, size: 1_234_376, mtime: 1_700_000_000_123_456_789, device: 8 << 20 | 1, generation: 99, mode: mode, links: 1,
            uid: 0, gid: 0)
    }

    /// The bytes of a record with its size and its string slots filled in; of a string with `HV_STRING_SUFFIX` only the length.
    static func assemble<Record>(_ record: Record, _ strings: [[UInt8]], flags: [UInt16] = [], slots: Int?) -> [UInt8] {
        var bytes = withUnsafeBytes(of: record) { [UInt8]($0) }
        if let slots {
            for (index, string) in strings.enumerated() {
                let slot = hv_string(length: UInt16(string.count), flags: index < flags.count ? flags[index] : 0)
                bytes.withUnsafeMutableBytes { $0.storeBytes(of: slot, toByteOffset: slots + index * 4, as: hv_string.self) }
            }
        }
        bytes += strings.indices.filter { $0 >= flags.count || Int32(flags[$0]) & HV_STRING_SUFFIX == 0 }.map { strings[$0] }.joined()
        let size = UInt32(bytes.count)
        bytes.withUnsafeMutableBytes { $0.storeBytes(of: size, as: UInt32.self) }
        return bytes
    }

    static func exec(
        executable: [UInt8] = Array("/usr/bin/bash".utf8), filename: [UInt8] = Array("./bash".utf8), interpreter: [UInt8] = [],
        directory: [UInt8] = Array("/root".utf8), cgroup: [UInt8] = Array("/user.slice/session-1.scope".utf8),
        arguments: [[UInt8]] = [Array("bash".utf8), Array("-c".utf8), Array("echo hi".utf8)], flags: Int32 = HV_EXEC_BEFORE,
        stringFlags: [UInt16] = [], error: Int32 = 0, actor: hv_actor = actor(), change: (inout hv_exec) -> Void = { _ in }
    ) -> [UInt8] {
        var record = hv_exec()
        record.header = header(HV_KIND_EXEC, flags: flags)
        record.actor = actor
        if error == 0 { record.executable = object() }
        record.before = hv_credentials(capabilities: 0, uid: 1000, gid: 1001, euid: 1000, egid: 1001, suid: 1000, sgid: 1001)
        record.args_count = UInt32(arguments.count)
        let joined = Array(arguments.map { $0 + [UInt8(0)] }.joined())
        record.args_size = UInt32(joined.count)
        record.error = error
        record.old_tid = actor.tid
        change(&record)
        return assemble(
            record, [error == 0 ? executable : [], filename, interpreter, directory, cgroup, joined], flags: stringFlags,
            slots: MemoryLayout<hv_exec>.offset(of: \.strings))
    }

    static func fork(actor: hv_actor = actor(), forker: UInt32 = 1000, forkerStart: UInt64 = 5_000_000_002) -> [UInt8] {
        assemble(
            hv_fork(header: header(HV_KIND_FORK), actor: actor, forker_start: forkerStart, forker_pid: forker, reserved: 0), [], slots: nil)
    }

    static func exit(status: UInt32 = 0, actor: hv_actor = actor()) -> [UInt8] {
        assemble(hv_exit(header: header(HV_KIND_EXIT), actor: actor, status: status, reserved: 0), [], slots: nil)
    }

    static func namespace(call: hv_namespace_call = HV_NAMESPACE_UNSHARE, asked: UInt64 = 0x1002_0000, error: Int32 = 0) -> [UInt8] {
        assemble(
            hv_namespace(header: header(HV_KIND_NAMESPACE), actor: actor(), asked: asked, call: call.rawValue, error: error), [], slots: nil)
    }

    static func file(
        _ action: hv_file_action = HV_FILE_WRITE, inner: [UInt8] = Array("/etc/passwd".utf8),
        actorPath: [UInt8] = Array("/etc/passwd".utf8),
        targetInner: [UInt8] = [], targetActor: [UInt8] = [], name: [UInt8] = [], targetName: [UInt8] = [],
        text: [UInt8] = [], text2: [UInt8] = [], flags: Int32 = 0,
        stringFlags: [UInt16] = [], error: Int32 = 0, actor: hv_actor = actor(), change: (inout hv_file) -> Void = { _ in }
    ) -> [UInt8] {
        var record = hv_file()
        record.header = header(HV_KIND_FILE, flags: flags)
        record.actor = actor
        record.object = object(mode: 0o100644)
        record.operations = 17
        record.size_before = 4096
        record.first = 1_000_000_000_000
        record.last = 1_000_100_000_000
        record.action = action.rawValue
        record.error = error
        change(&record)
        return assemble(
            record, [inner, actorPath, targetInner, targetActor, name, targetName, text, text2], flags: stringFlags,
            slots: MemoryLayout<hv_file>.offset(of: \.strings))
    }

    /// An attempt to make something that is not there yet.
    static func made(_ action: hv_file_action, text: [UInt8] = [], change: (inout hv_file) -> Void = { _ in }) -> [UInt8] {
        file(action, text: text, flags: HV_FILE_PENDING) {
            $0.object = hv_object()
            change(&$0)
        }
    }

    static func module(
        _ action: hv_module_action = HV_MODULE_LOAD, name: [UInt8] = Array("dummy".utf8), arguments: [UInt8] = Array("numdummies=2".utf8),
        file: [UInt8] = Array("/lib/modules/dummy.ko".utf8), inner: [UInt8] = Array("/lib/modules/dummy.ko".utf8), hint: [UInt8] = [],
        source: hv_module_source = HV_MODULE_SOURCE_FILE, flags: Int32 = HV_MODULE_LOADED | HV_MODULE_SIGNED_KNOWN,
        taints: UInt64 = 1 << 12 | 1 << 13,
        error: Int32 = 0, actor: hv_actor = actor(), change: (inout hv_module) -> Void = { _ in }
    ) -> [UInt8] {
        var record = hv_module()
        record.header = header(HV_KIND_MODULE, flags: flags, ring: 0)
        record.actor = actor
        record.file = object(mode: 0o100644)
        record.taints = taints
        record.action = action.rawValue
        record.source = source.rawValue
        record.error = error
        record.args_size = UInt32(arguments.count)
        change(&record)
        return assemble(record, [name, arguments, file, inner, hint], slots: MemoryLayout<hv_module>.offset(of: \.strings))
    }

    static func result(error: Int32, value: UInt64 = .max, object: hv_object = hv_object()) -> [UInt8] {
        assemble(
            hv_result(header: header(HV_KIND_RESULT), operation: 77, tid: 1235, error: error, value: value, object: object), [], slots: nil)
    }
}

/// One event's line, or nil where the encoder refused.
func encode(_ record: [UInt8], _ resolution: Resolution = Resolution(), hostName: String = "host-1") -> [UInt8]? {
    var encoder = ECSEncoder(context: Records.context(hostName: hostName), realtimeOffset: Records.offset)
    var writer = ByteWriter(capacity: 64)
    guard encoder.encode(record: record.span.bytes, resolution, into: &writer) else { return nil }
    return writer.withBytes { [UInt8]($0) }
}
