import CActs
import Foundation
import Glibc

/// What every group of checks needs to know.
struct Context {
    /// The program under test, and the small static programs it is shown.
    var program = ""
    var acts = ""
    /// In a guest every capability and module loading are there, and nothing is skipped for want of them.
    var guest = false
    /// Full counts (`make soak`), else reduced ones.
    var full = false
    /// For the fuzzer, to repeat a run; nil: another one each time.
    var seed: UInt64?
    /// The one style to test; nil: all that there are.
    var style: String?
    /// Names of groups; empty: all.
    var groups: [String] = []
    /// Those that are skipped.
    var except: [String] = []
    /// A folder of this run, outside of every watched one.
    var folder = ""

    var exitProgram: String { acts + "/exit" }
    var endProgram: String { acts + "/end" }

    /// Modules of the running kernel, where there are any.
    var modules: String { "/lib/modules/\(Self.kernelRelease)" }
    var loadsModules: Bool { access("/proc/modules", F_OK) == 0 }

    static var kernelRelease: String {
        var name = utsname()
        uname(&name)
        return withUnsafeBytes(of: &name.release) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
    }

    /// The attach styles to test by themselves. The host shows how `tracepoint` bears load; the slow guests repeat that only
    /// with full counts.
    func styles(underLoad: Bool = false) -> [String] {
        if let style { return [style] }
        if !guest { return ["tracepoint"] }
        return underLoad && !full ? ["fentry"] : ["fentry", "tracepoint"]
    }
}

/// A system call by its result, or a ``Failure`` that names it.
@discardableResult
func call(_ what: String, _ result: Int32) throws -> Int32 {
    if result < 0 { throw Failure("\(what): \(String(cString: strerror(errno)))") }
    return result
}

/// The same for functions that return a negative errno.
@discardableResult
func act(_ what: String, _ result: Int32) throws -> Int32 {
    if result < 0 { throw Failure("\(what): \(String(cString: strerror(-result)))") }
    return result
}

func makeDirectory(_ path: String) throws {
    try call("mkdir \(path)", mkdir(path, 0o755))
}

/// Seconds of CLOCK_MONOTONIC.
func now() -> Double {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
}

func sleep(seconds: Double) {
    usleep(UInt32(seconds * 1e6))
}

/// Polls until `condition` gives a value, at most `limit` seconds.
func wait<T>(upTo limit: Double, every interval: Double = 0.02, for condition: () -> T?) -> T? {
    let deadline = now() + limit
    while true {
        if let value = condition() { return value }
        if now() >= deadline { return nil }
        sleep(seconds: interval)
    }
}

/// The bytes of a file, as far as it is there.
func bytes(of path: String) -> [UInt8] {
    guard let data = FileManager.default.contents(atPath: path) else { return [] }
    return [UInt8](data)
}

func text(of path: String) -> String {
    String(decoding: bytes(of: path), as: UTF8.self)
}

/// The device of a file as events have it.
func device(_ status: stat) -> String {
    "\(acts_major(status.st_dev)):\(acts_minor(status.st_dev))"
}

func status(of path: String) throws -> stat {
    var status = stat()
    try call("stat \(path)", lstat(path, &status))
    return status
}
