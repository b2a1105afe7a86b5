import CActs
import Foundation
import Glibc

/// Whose an act is: real containers (crun), a real QEMU, groups of other engines' shapes, forgeries of all of them, sudo in a login session.
/// One session of the monitor sees it all.
func runAttribution(_ context: Context, _ report: inout Report) {
    guard context.guest else {
        report.skip("attribution", "it makes users, containers and files of engines: guests only")
        return
    }
    var stage: Stage
    do {
        stage = try Stage(context)
    } catch {
        report.fail("attribution", (error as? Failure)?.message ?? "\(error)")
        return
    }
    let acts: [(name: String, act: (inout Stage) throws -> (Stage, [Event]) throws -> Void)] = [
        ("attribution.docker", docker), ("attribution.kubernetes", kubernetes), ("attribution.user-namespace", userNamespace),
        ("attribution.libvirt", libvirt), ("attribution.qemu-by-hand", byHand), ("attribution.lxc", lxc), ("attribution.firecracker", firecracker),
        ("attribution.forged-groups", forgedGroups), ("attribution.forged-qemu", forgedQEMU), ("attribution.gone-at-once", goneAtOnce),
        ("attribution.sudo", sudo),
    ]
    var checks: [(String, (Stage, [Event]) throws -> Void)] = []
    for (name, act) in acts {
        do {
            checks.append((name, try act(&stage)))
        } catch {
            report.fail(name, (error as? Failure)?.message ?? "\(error)")
        }
    }
    var events: [Event] = []
    report.check("attribution.session") {
        events = try stage.watch.stop()
        try events.expectNothingLost()
    }
    for (name, check) in checks { report.check(name) { try check(stage, events) } }
    stage.end()
}

/// Where the acts happen, and what they leave.
struct Stage {
    let context: Context
    let watch: Watch
    let groups: String
    private let before: [(path: String, bytes: [UInt8])]

    static let person = "lee"
    static let personID: UInt32 = 4711

    init(_ context: Context) throws {
        self.context = context
        guard let root = cgroupRoot() else { throw Failure("no cgroup2 is mounted whole") }
        groups = root
        // A person, who may become root by sudo, and whose number containers use as well.
        before = ["/etc/passwd", "/etc/group", "/etc/shadow", "/etc/sudoers"].map { ($0, bytes(of: $0)) }
        let files: [(String, String)] = [
            ("/etc/passwd", "\(Self.person):x:\(Self.personID):\(Self.personID)::/tmp:/bin/sh\n"), ("/etc/group", "\(Self.person):x:\(Self.personID):\n"),
            ("/etc/shadow", "\(Self.person):*:19000:0:99999:7:::\n"), ("/etc/sudoers", "\(Self.person) ALL=(ALL) NOPASSWD: ALL\nDefaults !pam_session\n"),
        ]
        for (path, line) in files { try Self.append(line, to: path) }
        watch = try Watch(context, ["--only", "exec"])
    }

    func end() {
        watch.kill()
        for (path, bytes) in before { try? Data(bytes).write(to: URL(fileURLWithPath: path)) }
    }

    private static func append(_ line: String, to path: String) throws {
        let old = bytes(of: path)
        let text = (old.last ?? 0x0a) == 0x0a ? line : "\n" + line
        let file = try call("open \(path)", open(path, O_WRONLY | O_APPEND))
        defer { close(file) }
        try call("write \(path)", Int32(Glibc.write(file, text, text.utf8.count)))
    }

    /// A group and those above it.
    func makeGroup(_ path: String) throws -> String {
        var folder = groups
        for name in path.split(separator: "/") {
            folder += "/" + name
            if mkdir(folder, 0o755) != 0, errno != EEXIST { throw Failure("mkdir \(folder): \(String(cString: strerror(errno)))") }
        }
        return folder
    }

    /// A shell that goes into the group and becomes the program.
    func run(in group: String, _ program: [String], user: UInt32 = 0) throws -> Int32 {
        let folder = try makeGroup(group)
        let (pid, status) = try finish("/bin/sh", ["-c", "echo $$ >'\(folder)/cgroup.procs' && exec \"$@\"", "sh"] + program) { exec in
            guard user != 0 else { return }
            // Who is not root can't go there: the shell is put there.
            exec.ids = 1
            (exec.real, exec.effective, exec.saved) = (user, user, user)
        }
        try expectEqual(exitCode(status), 0, "exit code of \(program) in \(group)")
        return pid
    }

    /// The exec of a program by a process, and the end of that: what is checked of one has to hold for the other.
    func both(_ events: [Event], pid: Int32? = nil, program: String) throws -> [Event] {
        let exec = try events.one("exec of \(program)") {
            $0.action == "exec" && $0.string("process.executable") == program && (pid == nil || $0.pid == Int(pid ?? 0))
        }
        let end = try events.one("exit of \(exec.pid)") { $0.action == "exit" && $0["process.entity_id"] as? String == exec["process.entity_id"] as? String }
        return [exec, end]
    }
}

extension Event {
    /// `KIND ENGINE ROLE ID`, or `host`.
    func hasTenant(_ expected: String, name: String? = nil) throws {
        let found = ["kind", "engine", "role", "id"].compactMap { string("hypervigil.tenant.\($0)") }.joined(separator: " ")
        if found != expected { throw Failure("the tenant is '\(found)', expected '\(expected)' in \(line)") }
        if let name { try has("hypervigil.tenant.name", name) }
    }
}

// MARK: containers

/// A bundle as OCI's runtime specification has it, with BusyBox in it and accounts of its own.
private func makeBundle(_ folder: String, group: String, user: UInt32, annotations: [String: String] = [:], inner: Bool = false) throws {
    let root = folder + "/rootfs"
    for path in ["", "/bin", "/dev", "/etc", "/proc"] { try FileManager.default.createDirectory(atPath: root + path, withIntermediateDirectories: true) }
    try FileManager.default.copyItem(atPath: "/bin/busybox", toPath: root + "/bin/busybox")
    try writeFile(root + "/etc/passwd", "root:x:0:0::/:/bin/sh\napp:x:\(Stage.personID):\(Stage.personID)::/:/bin/sh\n")
    // The container's root is nobody on the host, and makes what belongs into /dev.
    if inner { try call("chown \(root)/dev", chown(root + "/dev", 100_000, 100_000)) }
    try writeFile(root + "/etc/group", "root:x:0:\nappgroup:x:\(Stage.personID):\n")
    var namespaces = ["pid", "mount", "ipc", "uts"]
    var linux: [String: Any] = ["cgroupsPath": group]
    if inner {
        namespaces.append("user")
        for map in ["uidMappings", "gidMappings"] { linux[map] = [["containerID": 0, "hostID": 100_000, "size": 65_536]] }
    }
    linux["namespaces"] = namespaces.map { ["type": $0] }
    let configuration: [String: Any] = [
        "ociVersion": "1.0.0", "hostname": "inside", "annotations": annotations, "root": ["path": "rootfs", "readonly": false],
        "process": [
            "terminal": false, "cwd": "/", "env": ["PATH=/bin"], "user": ["uid": user, "gid": user], "args": ["/bin/busybox", "sleep", "0.7"],
        ] as [String: Any],
        "mounts": [["destination": "/proc", "type": "proc", "source": "proc"]], "linux": linux,
    ]
    try JSONSerialization.data(withJSONObject: configuration).write(to: URL(fileURLWithPath: folder + "/config.json"))
}

private func runContainer(_ folder: String, _ id: String) throws -> Int32 {
    let (pid, status) = try finish("/usr/bin/crun", ["--cgroup-manager=cgroupfs", "run", "--bundle", folder, id])
    try expectEqual(exitCode(status), 0, "exit code of crun run \(id)")
    return pid
}

private func identifier(_ digit: String) -> String { String(repeating: digit, count: 64) }

/// Of the container's own process: the last exec of BusyBox in that group.
private func inside(_ events: [Event], _ stage: Stage, _ id: String) throws -> [Event] {
    let exec = try events.one("exec in the container \(id)") {
        $0.action == "exec" && $0.string("process.executable")?.hasSuffix("/bin/busybox") == true && $0.string("hypervigil.process.cgroup.path")?.contains(id) == true
    }
    let end = try events.one("exit of \(exec.pid)") { $0.action == "exit" && $0["process.entity_id"] as? String == exec["process.entity_id"] as? String }
    return [exec, end]
}

/// The manager of cgroupfs; what Docker keeps of a container is there.
private func docker(_ stage: inout Stage) throws -> (Stage, [Event]) throws -> Void {
    let id = identifier("a"), folder = "\(stage.context.folder)/docker"
    try makeBundle(folder, group: "/docker/\(id)", user: Stage.personID)
    let state = "/var/lib/docker/containers/\(id)"
    try FileManager.default.createDirectory(atPath: state, withIntermediateDirectories: true)
    try writeFile("\(state)/config.v2.json", #"{"ID":"\#(id)","Name":"/web","Config":{"Image":"nginx:1.27"}}"#)
    let runtime = try runContainer(folder, id)
    return { stage, events in
        for event in try inside(events, stage, id) {
            try event.hasTenant("container docker guest \(id)", name: "web")
            try event.has("container.id", id)
            try event.has("container.name", "web")
            try event.has("container.image.name", "nginx:1.27")
            try event.has("user.id", "\(Stage.personID)")
            // The host has another person of that number.
            let name = event.string("user.name")
            try expect(name == nil || name == "app" && event.flag("hypervigil.user.claimed"), "user.name is \(name ?? "") in \(event.line)")
        }
        // It is seen for most of a second: its accounts are known by its end.
        try inside(events, stage, id)[1].has("user.name", "app")
        // The runtime that made it is the host's.
        try events.one("exit of crun") { $0.action == "exit" && $0.pid == Int(runtime) }.hasTenant("host")
    }
}

/// Paths as systemd's manager makes them, and the bundle where containerd has it.
private func kubernetes(_ stage: inout Stage) throws -> (Stage, [Event]) throws -> Void {
    let id = identifier("b"), folder = "/run/containerd/io.containerd.runtime.v2.task/k8s.io/\(id)"
    let group =
        "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-poddde1244b_5bb5_4297_b544_85f3bc0d80bf.slice/cri-containerd-\(id).scope"
    try makeBundle(
        folder, group: group, user: 0,
        annotations: [
            "io.kubernetes.cri.container-type": "container", "io.kubernetes.cri.container-name": "api", "io.kubernetes.cri.image-name": "example.org/api:2",
        ])
    _ = try runContainer(folder, id)
    return { stage, events in
        for event in try inside(events, stage, id) {
            try event.hasTenant("container kubernetes guest \(id)", name: "api")
            try event.has("container.image.name", "example.org/api:2")
        }
    }
}

/// Ids inside and on the host.
private func userNamespace(_ stage: inout Stage) throws -> (Stage, [Event]) throws -> Void {
    let id = identifier("c"), folder = "\(stage.context.folder)/mapped"
    try makeBundle(folder, group: "/docker/\(id)", user: Stage.personID, inner: true)
    _ = try runContainer(folder, id)
    return { stage, events in
        let both = try inside(events, stage, id)
        for event in both {
            try event.hasTenant("container docker guest \(id)")
            try event.has("user.id", "\(100_000 + Stage.personID)")
            try expect(event.strings("hypervigil.process.namespaces.foreign")?.contains("user") == true, "not said to be in another user namespace: \(event.line)")
        }
        try both[1].has("hypervigil.user.inner.id", "\(Stage.personID)")
        try both[1].has("user.name", "app")
    }
}
