internal import Glibc
internal import KernelABI

/// Whether the kernel may take the CPU from a task inside a tracing program, and skip the program for others meanwhile (`recursion_misses`).
enum Preemption {
    /// True unless the kernel says that it does not. It may be told otherwise while this program runs (debugfs, sched/preempt): what is
    /// skipped then is counted and told all the same.
    static func isPossible() -> Bool {
        var name = utsname()
        uname(&name)
        let version = withUnsafeBytes(of: &name.version) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
        return isPossible(version: version, mode: readFile("/sys/kernel/debug/sched/preempt"), log: kernelLog)
    }

    /// - Parameters:
    ///   - version: `uname -v`, which names CONFIG_PREEMPT and its like (init/Makefile).
    ///   - mode: of a dynamic kernel, all modes with the one that holds in brackets: `none (voluntary) full` (kernel/sched/debug.c).
    ///   - log: the kernel's, which has the mode it began with (`Dynamic Preempt: `, kernel/sched/core.c).
    static func isPossible(version: String, mode: String?, log: () -> String) -> Bool {
        let words = version.split(separator: " ")
        guard let word = words.first(where: { $0.hasPrefix("PREEMPT") }) else { return false }
        guard word == "PREEMPT_DYNAMIC" else { return true }
        let held: Substring?
        if let mode {
            held = mode.firstIndex(of: "(").map { mode[mode.index(after: $0)...].prefix { $0 != ")" } }
        } else {
            held = log().split(separator: "\n").first { $0.contains("Dynamic Preempt: ") }?.split(separator: " ").last
        }
        return held != "none" && held != "voluntary"
    }

    /// As far as it is still there.
    private static func kernelLog() -> String {
        let size = hv_kernel_log(nil, 0)
        guard size > 0 else { return "" }
        let text = [CChar](unsafeUninitializedCapacity: Int(size)) { buffer, count in
            count = Int(max(0, hv_kernel_log(buffer.baseAddress, size)))
        }
        return String(decoding: text.map(UInt8.init(bitPattern:)), as: UTF8.self)
    }
}
