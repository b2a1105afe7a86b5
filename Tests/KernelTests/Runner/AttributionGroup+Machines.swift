import CActs
import Foundation
import Glibc

private let qemu = "/usr/bin/qemu-system-x86_64"
/// A machine with nothing in it, which does not even start.
private let empty = ["-machine", "none", "-display", "none", "-nodefaults", "-S"]

/// Starts a machine, and ends it when it runs.
private func runMachine(_ command: [String], in group: String? = nil, stage: Stage, then act: (Int32) throws -> Void = { _ in }) throws -> Int32 {
    var whole = command
    if let group {
        whole = ["/bin/sh", "-c", "echo $$ >'\(try stage.makeGroup(group))/cgroup.procs' && exec \"$@\"", "sh"] + command
    }
    let pid = try start(whole[0], Array(whole.dropFirst()))
    defer {
        kill(pid, SIGTERM)
        _ = acts_wait(pid)
    }
    // It has threads of its own by then.
    guard wait(upTo: 60, every: 0.1, for: { (try? FileManager.default.contentsOfDirectory(atPath: "/proc/\(pid)/task"))?.count ?? 0 > 1 ? true : nil }) != nil else {
        throw Failure("\(command[0]) does not run")
    }
    try act(pid)
    return pid
}

/// Under a group as libvirt makes it, with the arguments that libvirt gives.
func libvirt(_ stage: inout Stage) throws -> (Stage, [Event]) throws -> Void {
    let uuid = "7f3cc1a2-0d5e-4c55-9d3b-1d2f6c0e9a01"
    let pid = try runMachine(
        [qemu, "-name", "guest=web01,debug-threads=on", "-uuid", uuid] + empty,
        in: #"/machine.slice/machine-qemu\x2d1\x2dweb01.scope/libvirt/emulator"#, stage: stage)
    return { stage, events in
        for event in try stage.both(events, pid: pid, program: qemu) { try event.hasTenant("vm libvirt guest \(uuid)", name: "web01") }
    }
}

/// With no group of its own; what it starts is it as well, and a later command line changes nothing.
func byHand(_ stage: inout Stage) throws -> (Stage, [Event]) throws -> Void {
    let uuid = "7f3cc1a2-0d5e-4c55-9d3b-1d2f6c0e9a02"
    let pid = try runMachine([qemu, "-name", "hand", "-uuid", uuid] + empty, stage: stage)
    return { stage, events in
        for event in try stage.both(events, pid: pid, program: qemu) { try event.hasTenant("vm qemu guest \(uuid)", name: "hand") }
    }
}

func lxc(_ stage: inout Stage) throws -> (Stage, [Event]) throws -> Void {
    let program = stage.context.exitProgram
    let payload = try stage.run(in: "/lxc.payload.db1/init.scope", [program])
    let monitor = try stage.run(in: "/lxc.monitor.db1", [program])
    return { stage, events in
        for event in try stage.both(events, pid: payload, program: program) { try event.hasTenant("container lxc guest db1") }
        for event in try stage.both(events, pid: monitor, program: program) { try event.hasTenant("container lxc manager db1") }
    }
}

func firecracker(_ stage: inout Stage) throws -> (Stage, [Event]) throws -> Void {
    let program = stage.context.exitProgram, id = "551e7604-e35c-42b3-b825-416853441234"
    let pid = try stage.run(in: "/firecracker/\(id)", [program])
    return { stage, events in
        for event in try stage.both(events, pid: pid, program: program) { try event.hasTenant("vm firecracker guest \(id)") }
    }
}

/// Groups that a user has made below the slice that is delegated to it.
func forgedGroups(_ stage: inout Stage) throws -> (Stage, [Event]) throws -> Void {
    let own = "/user.slice/user-1000.slice/user@1000.service", program = stage.context.exitProgram, id = String(repeating: "d", count: 64)
    let machine = try stage.run(in: own + #"/machine-qemu\x2d1\x2dweb01.scope"#, [program])
    let pod = try stage.run(in: own + "/kubepods.slice/kubepods-pod12345678_1234_1234_1234_123456789012.slice/cri-containerd-\(id).scope", [program])
    let fire = try stage.run(in: own + "/firecracker/551e7604-e35c-42b3-b825-416853441235", [program])
    let rootless = try stage.run(in: own + "/user.slice/docker-\(id).scope", [program])
    return { stage, events in
        for (what, pid) in [("libvirt's", machine), ("a pod's", pod), ("Firecracker's", fire)] {
            for event in try stage.both(events, pid: pid, program: program) {
                do {
                    try event.hasTenant("host")
                } catch let failure as Failure {
                    throw Failure("a user's group named like \(what): \(failure.message)")
                }
            }
        }
        // Docker has a rootless mode: it may be one of that user's, and no other's.
        for event in try stage.both(events, pid: rootless, program: program) { try event.hasTenant("container docker guest 1000/\(id)") }
    }
}

/// A shell that is called like QEMU, and a process that changes what it shows of itself.
func forgedQEMU(_ stage: inout Stage) throws -> (Stage, [Event]) throws -> Void {
    let copy = "\(stage.context.folder)/qemu-system-x86_64"
    try FileManager.default.copyItem(atPath: "/bin/dash", toPath: copy)
    let (shell, _) = try finish(copy, ["-c", "\(stage.context.exitProgram) -name guest=forged; :", "-name", "guest=forged"])
    let (liar, status) = try finish("\(stage.context.acts)/liar", [stage.context.exitProgram, String(repeating: "x", count: 200)])
    try expectEqual(exitCode(status), 0, "exit code of the process that rewrites its arguments")
    return { stage, events in
        let mine = events.filter { event in
            [Int(shell), Int(liar)].contains { $0 == event.pid || $0 == event.number("process.parent.pid") }
        }
        try expect(mine.count >= 4, "\(mine.count) events of both")
        for event in mine { try event.hasTenant("host") }
        let end = try events.one("exit of \(liar)") { $0.action == "exit" && $0.pid == Int(liar) }
        try end.has("process.name", "qemu-system-x86")
        try expect(end.string("process.command_line")?.hasPrefix("\(stage.context.acts)/liar ") == true, "not the arguments of its exec: \(end.line)")
    }
}

/// A group that is removed as soon as it is empty keeps its name for what its process did.
func goneAtOnce(_ stage: inout Stage) throws -> (Stage, [Event]) throws -> Void {
    let program = stage.context.exitProgram
    let ids = (0..<20).map { String(format: "%064x", 0xe00 + $0) }
    let pids = try ids.map { id in
        let pid = try stage.run(in: "/docker/\(id)", [program])
        try call("rmdir", rmdir("\(stage.groups)/docker/\(id)"))
        return pid
    }
    return { stage, events in
        for (id, pid) in zip(ids, pids) {
            for event in try stage.both(events, pid: pid, program: program) { try event.hasTenant("container docker guest \(id)") }
        }
    }
}

/// A person who came over the network and became root.
func sudo(_ stage: inout Stage) throws -> (Stage, [Event]) throws -> Void {
    let program = stage.context.exitProgram
    // What pam_loginuid and logind do for sshd, then the person's shell; the session's number is the kernel's to give.
    let script = """
        echo \(Stage.personID) >/proc/self/loginuid || exit 3
        session=$(cat /proc/self/sessionid)
        mkdir -p /run/systemd/sessions
        printf 'UID=%s\\nUSER=%s\\nACTIVE=1\\nSTATE=active\\nREMOTE=1\\nTYPE=tty\\nCLASS=user\\nREMOTE_HOST=192.0.2.7\\nSERVICE=sshd\\nTTY=pts/7\\nLEADER=%s\\nAUDIT=%s\\n' \
            \(Stage.personID) \(Stage.person) $$ $session >/run/systemd/sessions/$session
        exec setpriv --reuid \(Stage.personID) --regid \(Stage.personID) --clear-groups /bin/sh -c 'sudo -n \(program) 0; exit $?'
        """
    let (shell, status) = try finish("/bin/sh", ["-c", script])
    try expectEqual(exitCode(status), 0, "exit code of the login")
    return { stage, events in
        let run = try events.one("exec by sudo") {
            $0.action == "exec" && $0.string("process.executable") == program && $0.string("user.audit.id") == "\(Stage.personID)"
        }
        try run.has("user.audit.name", Stage.person)
        try run.has("user.effective.name", "root")
        try run.has("user.name", "root")
        try run.has("source.ip", "192.0.2.7")
        try run.has("hypervigil.login.terminal", "pts/7")
        let own = try events.one("exec of sudo") {
            $0.action == "exec" && $0.string("process.executable")?.hasSuffix("/sudo") == true && $0.string("user.audit.id") == "\(Stage.personID)"
        }
        try own.has("user.name", Stage.person)
        try own.has("user.effective.name", "root")
        let ancestors = run["hypervigil.process.ancestors"] as? [[String: Any]] ?? []
        try expect(ancestors.contains { $0["pid"] as? Int == Int(shell) }, "the login is not among the ancestors: \(run.line)")
    }
}
