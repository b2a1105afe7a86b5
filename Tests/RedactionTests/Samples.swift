import KernelABI
import Redaction
import Rings

/// Arguments as execve(2) has them.
func joined(_ arguments: [String]) -> [UInt8] { arguments.flatMap { Array($0.utf8) + [0] } }

/// Arguments with their secrets masked, and how many.
///
/// - Parameter rules: nil: the built-in ones.
func masked(_ bytes: [UInt8], _ rules: RedactionRules? = nil) throws -> (bytes: [UInt8], count: UInt32) {
    masked(bytes, by: try rules.map { try Redactor($0) } ?? Samples.builtIn.get())
}

func masked(_ bytes: [UInt8], by redactor: Redactor) -> (bytes: [UInt8], count: UInt32) {
    var scratch = RedactionScratch(redactor)
    let count = redactor.redact(arguments: bytes.span.bytes, into: &scratch)
    return (count == 0 ? bytes : copy(scratch.bytes), count)
}

func masked(_ arguments: [String], _ rules: RedactionRules? = nil) throws -> [String] {
    texts(try masked(joined(arguments), rules).bytes)
}

func texts(_ bytes: [UInt8]) -> [String] {
    bytes.split(separator: 0, omittingEmptySubsequences: false).dropLast(bytes.last == 0 ? 1 : 0).map { String(decoding: $0, as: UTF8.self) }
}

func copy(_ span: RawSpan) -> [UInt8] { span.withUnsafeBytes { [UInt8]($0) } }

enum Samples {
    static let builtIn = Result { try Redactor() }

    static func actor() -> hv_actor {
        var actor = hv_actor()
        (actor.pid, actor.tid, actor.parent_pid) = (1234, 1234, 1000)
        (actor.login_uid, actor.session) = (.max, .max)
        withUnsafeMutableBytes(of: &actor.comm) { $0.copyBytes(from: "program".utf8) }
        return actor
    }

    /// A record with its size and its string slots filled in.
    static func assemble<Record>(_ record: Record, _ strings: [[UInt8]], flags: [UInt16], slots: Int) -> [UInt8] {
        var bytes = withUnsafeBytes(of: record) { [UInt8]($0) }
        for (index, string) in strings.enumerated() {
            let slot = hv_string(length: UInt16(string.count), flags: flags[index])
            bytes.withUnsafeMutableBytes { $0.storeBytes(of: slot, toByteOffset: slots + index * 4, as: hv_string.self) }
        }
        for (index, string) in strings.enumerated() where Int32(flags[index]) & HV_STRING_SUFFIX == 0 { bytes += string }
        let size = UInt32(bytes.count)
        bytes.withUnsafeMutableBytes { $0.storeBytes(of: size, as: UInt32.self) }
        return bytes
    }

    static func exec(
        _ arguments: [UInt8], executable: String = "/usr/bin/program", filename: String = "program", interpreter: String = "", directory: String = "/srv",
        cgroup: String = "/system.slice/token=shown", cut: Bool = false
    ) -> [UInt8] {
        var record = hv_exec()
        record.header.kind = UInt16(HV_KIND_EXEC.rawValue)
        record.header.flags = UInt16(cut ? HV_EXEC_ARGS_TRUNCATED : 0)
        record.header.sequence = 42
        record.actor = actor()
        record.executable.inode = 77
        record.args_count = UInt32(arguments.count { $0 == 0 })
        record.args_size = UInt32(arguments.count)
        record.old_tid = 1234
        return assemble(
            record, [executable, filename, interpreter, directory, cgroup].map { Array($0.utf8) } + [arguments],
            flags: [0, 0, 0, 0, 0, UInt16(cut ? HV_STRING_TRUNCATED : 0)], slots: MemoryLayout<hv_exec>.offset(of: \.strings)!)
    }

    static func module(_ arguments: String, name: String = "dummy") -> [UInt8] {
        var record = hv_module()
        record.header.kind = UInt16(HV_KIND_MODULE.rawValue)
        record.actor = actor()
        record.action = HV_MODULE_LOAD.rawValue
        record.args_size = UInt32(arguments.utf8.count)
        return assemble(
            record, [name, arguments, "/lib/modules/dummy.ko", "/lib/modules/dummy.ko", ""].map { Array($0.utf8) }, flags: [0, 0, 0, 0, 0],
            slots: MemoryLayout<hv_module>.offset(of: \.strings)!)
    }
}

/// Numbers that are the same in every run (Steele, Lea, Flood: Fast splittable pseudorandom number generators, OOPSLA 2014).
struct SplitMix64: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
}

func isExec(_ bytes: [UInt8]) -> Bool {
    if ExecView(bytes.span.bytes) != nil { return true }
    return false
}

func isModule(_ bytes: [UInt8]) -> Bool {
    if ModuleView(bytes.span.bytes) != nil { return true }
    return false
}
