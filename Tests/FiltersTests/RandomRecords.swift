import Events
import KernelABI
import Rings

/// Records of every kind with whatever is optional there or not, whose texts are UTF-8, so that their JSON says all.
struct RandomRecords {
    var generator: SplitMix64

    init(seed: UInt64) { generator = SplitMix64(state: seed) }

    static let words = ["a", "sshd", "bash", "write", "dummy", "ext4", "x y", "日本", "q\"uo\\te", "new\nline", "user.a", "A", "tab\t", "0", "1"]
    static let names = ["passwd", ".hidden", "file.tar.gz", "a.", "日本.txt", "b", "x y.Z", "end."]

    mutating func word() -> [UInt8] { Array(generator.pick(Self.words).utf8) }
    mutating func some() -> [UInt8] { generator.chance(1, in: 3) ? [] : word() }

    mutating func path() -> [UInt8] {
        if generator.chance(1, in: 12) { return Array("/".utf8) }
        var path = ""
        for _ in 0..<Int.random(in: 1...3, using: &generator) { path += "/" + generator.pick(["etc", "var", "log", "日", "d.d"]) }
        return Array((path + "/" + (generator.chance(1, in: 10) ? "" : generator.pick(Self.names))).utf8)
    }

    mutating func somePath() -> [UInt8] { generator.chance(1, in: 4) ? [] : path() }

    mutating func number() -> UInt64 {
        generator.pick([0, 1, 2, 17, 1000, 4096, 0o644, 0o100755, 0o060660, 1 << 20 | 3, 1 << 40, 1 << 63, .max - 1, .max, generator.next()])
    }

    mutating func small() -> UInt32 { generator.pick([0, 1, 2, 17, 1000, .max, UInt32(truncatingIfNeeded: generator.next())]) }

    mutating func object() -> hv_object {
        if generator.chance(1, in: 3) { return hv_object() }
        let mode: UInt32 = generator.pick([0o100644, 0o040755, 0o120777, 0o020600, 0o060600, 0o010600, 0o140600, 0, 0o104755])
        return hv_object(
            inode: generator.chance(1, in: 6) ? 0 : number(), size: number(), mtime: number(), device: small(), generation: small(), mode: mode,
            links: small(), uid: small(), gid: small())
    }

    mutating func actor() -> hv_actor {
        var actor = Records.actor(name: word(), parentName: word())
        (actor.pid, actor.tid, actor.parent_pid) = (small(), small(), small())
        (actor.uid, actor.euid, actor.suid, actor.gid) = (small(), small(), small(), small())
        (actor.login_uid, actor.session, actor.task_flags) = (small(), small(), small())
        if generator.chance(1, in: 2) { actor.tty = 0 }
        if generator.chance(1, in: 3) { (actor.ns_mount, actor.ns_pid, actor.ns_user, actor.ns_uts) = (0, 0, 0, 0) }
        (actor.cgroup, actor.capabilities) = (number(), number())
        return actor
    }

    mutating func stringFlags(_ count: Int) -> [UInt16] { (0..<count).map { _ in generator.chance(1, in: 3) ? UInt16.random(in: 0..<16, using: &generator) : 0 } }

    mutating func error() -> Int32 { generator.pick([0, 0, 0, -1, -2, -13, -512, -4095]) }

    mutating func flags(_ all: Int32) -> Int32 { Int32(truncatingIfNeeded: generator.next()) & all }

    mutating func record() -> [UInt8] {
        switch Int.random(in: 0..<10, using: &generator) {
        case 0, 1: return exec()
        case 2:
            let actor = actor()
            let own = generator.chance(1, in: 2)
            return Records.fork(actor: actor, forker: own ? actor.parent_pid : small(), forkerStart: own ? actor.parent_start : 1)
        case 3: return Records.exit(status: UInt32.random(in: 0...0xffff, using: &generator) & generator.pick([0xffff, 0xff00, 0xff]), actor: actor())
        case 4, 5: return module()
        default: return file()
        }
    }

    private mutating func exec() -> [UInt8] {
        let arguments = (0..<Int.random(in: 0...4, using: &generator)).map { _ in some() }
        let (first, second, before, thread, size) = (object(), object(), small(), small(), small())
        return Records.exec(
            executable: somePath(), filename: somePath(), interpreter: somePath(), directory: somePath(), cgroup: somePath(), arguments: arguments,
            flags: flags(63), stringFlags: stringFlags(6), error: error(), actor: actor()
        ) {
            ($0.executable, $0.script) = (first, second)
            ($0.before.uid, $0.before.suid, $0.before.egid) = (before, size, thread)
            if thread & 1 == 0 { $0.old_tid = thread }
            $0.args_size = size
        }
    }

    private mutating func module() -> [UInt8] {
        let action = generator.pick([HV_MODULE_LOAD, HV_MODULE_LOAD, HV_MODULE_UNLOAD, HV_MODULE_REQUEST])
        let source = generator.pick([HV_MODULE_SOURCE_UNKNOWN, HV_MODULE_SOURCE_FILE, HV_MODULE_SOURCE_MEMORY])
        let (object, size, waits) = (object(), small(), small())
        let hint = somePath()
        let taints: UInt64 = generator.pick([0, 1 << 12, 1 << 13 | 1, 1 << 40, .max])
        var record = Records.module(
            action, name: some(), arguments: some(), file: somePath(), inner: somePath(), hint: hint, source: source, flags: flags(15), taints: taints,
            error: error(), actor: actor()
        ) {
            $0.file = object
            if size & 1 == 0 { $0.args_size = size }
            $0.wait = waits & 1
        }
        if generator.chance(1, in: 3), let slots = MemoryLayout<hv_module>.offset(of: \.strings) {
            record[slots + Int(HV_MODULE_ARGS.rawValue) * 4 + 2] = UInt8(HV_STRING_FAULT)
        }
        return record
    }

    private mutating func file() -> [UInt8] {
        let action = hv_file_action(UInt32.random(in: 1..<HV_FILE_ACTIONS.rawValue, using: &generator))
        let (first, second, via) = (object(), object(), generator.pick([0, 1, 3, 1 << 9, 1 << 30, small()]))
        let (operations, before, value, value2) = (number(), number(), number(), generator.chance(1, in: 2) ? UInt64(small() & 7) : number())
        let flags = generator.chance(1, in: 3) ? flags(4095) : flags(4095 & ~(HV_FILE_SPELLED | HV_FILE_TARGET_SPELLED))
        let inner = somePath()
        let actorPath = generator.chance(1, in: 2) ? inner : somePath()
        let text = generator.chance(1, in: 2) ? some() : somePath()
        let names = (generator.chance(1, in: 2) ? some() : somePath(), generator.chance(1, in: 2) ? some() : somePath())
        return Records.file(
            action, inner: inner, actorPath: actorPath, targetInner: somePath(), targetActor: somePath(), name: names.0, targetName: names.1,
            text: text, text2: some(), flags: flags, stringFlags: stringFlags(8), error: error(), actor: actor()
        ) {
            ($0.object, $0.target, $0.via, $0.operations, $0.size_before) = (first, second, via, operations, before)
            ($0.value, $0.value_2) = (value, value2)
        }
    }

    /// What user space may have found out, beside the actor's facts. The paths stay only while `body` runs.
    mutating func withResolution<Result>(_ body: (Resolution, inout SplitMix64) throws -> Result) rethrows -> Result {
        var resolution = Resolution()
        let (path, target) = (somePath(), somePath())
        if generator.chance(1, in: 2) {
            resolution.outcome = generator.pick([.success, .failure(2), .failure(999), .unknown])
            resolution.object = object()
            resolution.value = number()
        }
        resolution.pathFlags = PathFlags(rawValue: generator.pick([0, 0, 4, 2]))
        resolution.targetPathFlags = PathFlags(rawValue: generator.pick([0, 0, 4]))
        let resolved = generator.chance(1, in: 2)
        return try path.withUnsafeBytes { path in
            try target.withUnsafeBytes { target in
                if resolved { (resolution.path, resolution.targetPath) = (path, target) }
                return try body(resolution, &generator)
            }
        }
    }
}
