import CActs
import Foundation
import Glibc

/// The whole program against a real kernel: starts `hypervigil`, does what it has to see, and compares.
///
///     kernel-tests --program PATH --acts FOLDER [--guest] [--full] [--seed NUMBER] [--style STYLE] [--case GROUP]... [--except GROUP]...
///
/// Prints `ok NAME`, `not ok NAME: why` or `skip NAME: reason` for each check and a line with the sums; exits with 1 if any failed.
let groups: [(name: String, run: (Context, inout Report) -> Void)] = [
    ("attribution", runAttribution),
    ("detail", runDetail),
    ("errors", runErrors),
    ("exec", runExec),
    ("spawn", runSpawn),
    ("file", runFile),
    ("filter", runFilter),
    ("flood", runFlood),
    ("fuzz", runFuzz),
    ("lineage", runLineage),
    ("latency", runLatency),
    ("limits", runLimits),
    ("matrix", runMatrix),
    ("module", runModule),
    ("redact", runRedact),
    ("ring", runRing),
    ("stalls", runStalls),
    ("tenants", runTenants),
]

func usage(_ message: String) -> Never {
    FileHandle.standardError.write(Data("kernel-tests: \(message)\n".utf8))
    exit(64)
}

acts_line_buffer()
var context = Context()
var arguments = CommandLine.arguments.dropFirst()
while let option = arguments.popFirst() {
    switch option {
    case "--guest": context.guest = true
    case "--full": context.full = true
    case "--program", "--acts", "--case", "--except", "--seed", "--style":
        guard let value = arguments.popFirst() else { usage("\(option) needs a value") }
        switch option {
        case "--program": context.program = URL(fileURLWithPath: value).path
        case "--acts": context.acts = URL(fileURLWithPath: value).path
        case "--seed":
            guard let seed = UInt64(value) else { usage("--seed: \(value) is no number") }
            context.seed = seed
        case "--style": context.style = value
        case "--except": context.except.append(value)
        default: context.groups.append(value)
        }
    default: usage("unknown option \(option)")
    }
}
for name in context.groups + context.except where !groups.contains(where: { $0.name == name }) {
    usage("no group \(name): \(groups.map(\.name).joined(separator: ", "))")
}
guard access(context.program, X_OK) == 0 else { usage("--program: \(context.program) can't be executed") }
guard access(context.exitProgram, X_OK) == 0 else { usage("--acts: \(context.exitProgram) can't be executed") }
guard geteuid() == 0 else { usage("be root") }

// Children that can't be waited for later must not end this program by their closed pipes.
signal(SIGPIPE, SIG_IGN)
var template = Array("/tmp/kernel-tests.XXXXXX".utf8CString)
guard mkdtemp(&template) != nil else { usage("mkdtemp: \(String(cString: strerror(errno)))") }
context.folder = String(decoding: template.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self)
chmod(context.folder, 0o755)

// A guest reaches this machine's files through an emulated device; what is started thousands of times lies nearer.
do {
    for name in ["exit", "end", "liar", "libnss_hvhang.so.2"] {
        try FileManager.default.copyItem(atPath: "\(context.acts)/\(name)", toPath: "\(context.folder)/\(name)")
    }
    context.acts = context.folder
} catch {
    usage("\(error)")
}

var report = Report()
print("kernel-tests: \(Context.kernelRelease), \(context.guest ? "guest" : "host"), \(context.full ? "full" : "reduced") counts")
for group in groups where context.groups.isEmpty || context.groups.contains(group.name) {
    if context.except.contains(group.name) {
        report.skip(group.name, "other guests show it (make soak runs it here)")
        continue
    }
    let begin = now()
    group.run(context, &report)
    print("-- \(group.name): \(Int(now() - begin)) s")
}
if report.failed == 0 {
    try? FileManager.default.removeItem(atPath: context.folder)
} else {
    print("kernel-tests: what was printed is in \(context.folder)")
}
print("kernel-tests: \(report.passed) passed, \(report.failed) failed, \(report.skipped) skipped")
exit(report.failed == 0 ? 0 : 1)
