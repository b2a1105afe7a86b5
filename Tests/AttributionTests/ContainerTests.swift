import Events
import Glibc
import KernelABI
import Rings
import Testing

@testable import Attribution

private let second: UInt64 = 1_000_000_000

private struct Found {
    var owner = ContainerUsers.Owner.tenant
    var state = NameState.unknown
    var user = ""
    var effective = ""
    var group = ""
    var claimed = false
    var inner: UInt32?
    var innerGroup: UInt32?
}

/// A process in namespaces of its own, and the table that is asked for it.
private struct Scene: ~Copyable {
    let child: Child
    var table: ContainerUsers
    /// The clock of the table; no test waits for it.
    var now = second
    var actor = hv_actor()

    /// - Parameters:
    ///   - unshare: the command with its options.
    ///   - shell: runs first, in the namespaces.
    ///   - root: the process's root directory from its start; nil: it stays where it is.
    ///   - moveTo: its root directory from when it is told to move.
    init(_ unshare: [String], shell: String = "", root: String?, moveTo: String = "") throws {
        let go = "$| = 1; chroot $ARGV[0] or die $! if $ARGV[0]; print qq(there\\n); while (my $dir = <STDIN>) { chroot $ARGV[1] or die $!; print qq(moved\\n) }"
        let child = try Child(
            unshare + ["sh", "-c", "\(shell)\nexec perl -e '\(go)' '\(root ?? "")' \"$1\"", "sh", moveTo])
        try #require(child.line(), "the process did not start")
        self.child = child
        table = ContainerUsers()
        (actor.login_uid, actor.session) = (.max, .max)
        actor.pid = UInt32(child.pid)
        actor.ns_mount = child.namespace("mnt")
        actor.ns_user = child.namespace("user")
        actor.cgroup = 1
    }

    mutating func look(uid: UInt32, gid: UInt32 = 0, effective: UInt32? = nil, inTenant: Bool = false) -> Found {
        (actor.uid, actor.gid) = (uid, gid)
        (actor.euid, actor.egid, actor.suid, actor.sgid) = (effective ?? uid, gid, uid, gid)
        let given = actor
        return withActor({ $0 = given }) { view in
            var facts = ActorFacts()
            var found = Found()
            (found.owner, found.state) = table.fill(&facts, of: view, inTenant: inTenant, now: now)
            (found.user, found.effective, found.group) = (text(facts.userName), text(facts.effectiveUserName), text(facts.groupName))
            (found.claimed, found.inner, found.innerGroup) = (facts.namesAreClaimed, facts.innerUser, facts.innerGroup)
            return found
        }
    }

    /// Asks, and waits for what the look finds.
    mutating func settled(uid: UInt32, gid: UInt32 = 0, effective: UInt32? = nil, inTenant: Bool = false) -> Found {
        let before = table.generation
        _ = look(uid: uid, gid: gid, effective: effective, inTenant: inTenant)
        for _ in 0..<6000 where table.generation == before {
            usleep(5000)
            table.collect(now: now)
        }
        if table.generation == before { Issue.record("no answer") }
        return look(uid: uid, gid: gid, effective: effective, inTenant: inTenant)
    }
}

private func root(_ passwd: String?, _ group: String = "wheel:x:0:\nstaff:x:1000:\n") -> AccountFolder {
    let folder = AccountFolder()
    mkdir("\(folder.path)/etc", 0o755)
    if let passwd { folder.write("etc/passwd", passwd) }
    folder.write("etc/group", group)
    return folder
}

private let forged = "evil:x:0:0::/:\nmallory:x:1000:1000::/:\n"

/// Namespaces are made for real.
@Suite(.serialized, .enabled(if: geteuid() == 0, "needs root"))
struct ContainerTests {
    @Test func ownUserNamespaceHasItsOwnNamesAndIds() throws {
        let folder = root(forged)
        var scene = try Scene(
            ["setpriv", "--reuid=70000", "--regid=80000", "--clear-groups", "unshare", "--mount", "--user", "--map-root-user"], root: folder.path)
        #expect(scene.actor.ns_user != scene.table.host.userNamespace)
        #expect(scene.look(uid: 70000).state == .pending)
        #expect(scene.look(uid: 70000).user.isEmpty)
        let found = scene.settled(uid: 70000, gid: 80000)
        #expect(found.owner == .tenant && found.state == .known && found.claimed)
        #expect(found.user == "evil" && found.group == "wheel")
        #expect(found.inner == 0 && found.innerGroup == 0)
        // The host's root is no user of that namespace, and its name is no name there.
        let stranger = scene.look(uid: 0)
        #expect(stranger.user.isEmpty && stranger.inner == nil && stranger.state == .unknown && stranger.owner == .tenant)
        #expect(scene.look(uid: 70001).inner == nil)
    }

    /// The ids are the host's, the names are not.
    @Test func containerWithoutUserNamespace() throws {
        let folder = root(forged)
        var scene = try Scene(["unshare", "--mount"], root: folder.path)
        #expect(scene.actor.ns_user == scene.table.host.userNamespace)
        let found = scene.settled(uid: 1000, gid: 1000, effective: 0)
        #expect(found.owner == .tenant && found.claimed)
        #expect(found.user == "mallory" && found.effective == "evil" && found.group == "staff")
        #expect(found.inner == nil && found.innerGroup == nil)
        let nobody = scene.look(uid: 65534)
        #expect(nobody.user.isEmpty && nobody.owner == .tenant)
    }

    @Test func privateMountsOverTheHostsRootKeepItsNames() throws {
        var scene = try Scene(["unshare", "--mount"], shell: "mount -t tmpfs none /mnt", root: nil)
        #expect(scene.actor.ns_mount != scene.table.host.mountNamespace)
        #expect(scene.look(uid: 0).state == .pending)
        let found = scene.settled(uid: 0)
        #expect(found.owner == .host && found.state == .known && !found.claimed && found.user.isEmpty)
        // A runtime's process is not yet where it will be.
        let early = scene.look(uid: 0, inTenant: true)
        #expect(early.owner == .tenant && early.user.isEmpty)
    }

    /// Of a container in a user namespace that still has the host's root no name is told, and what acts later waits for another look.
    @Test func hostsAccountsAreNotTheContainers() throws {
        let folder = root(forged)
        var scene = try Scene(["unshare", "--mount", "--user", "--map-root-user"], root: nil, moveTo: folder.path)
        let early = scene.settled(uid: 0)
        #expect(early.owner == .tenant && early.state == .unknown && early.user.isEmpty && early.group.isEmpty && !early.claimed && early.inner == 0)
        // Nobody waits for what was looked at just now.
        #expect(scene.look(uid: 0).state == .unknown)
        scene.child.tell()
        #expect(scene.child.line())
        scene.now += 30_000_000
        #expect(scene.look(uid: 0).state == .pending)
        let found = scene.settled(uid: 0)
        #expect(found.user == "evil" && found.group == "wheel" && found.claimed && found.state == .known)
    }

    /// Nothing waits for a process that stays where it is for longer than one look at a time, and not for ever.
    @Test func userNamespaceThatKeepsTheHostsRoot() throws {
        var scene = try Scene(["unshare", "--mount", "--user", "--map-root-user"], root: nil)
        #expect(scene.settled(uid: 0).state == .unknown)
        scene.now += 30_000_000
        #expect(scene.look(uid: 0).state == .pending)
        scene.now += 51_000_000
        #expect(scene.look(uid: 0).state == .unknown)
        scene.now += 4 * second
        for _ in 0..<200 {
            usleep(5000)
            if scene.table.collect(now: scene.now) { break }
        }
        scene.now += second / 10
        #expect(scene.look(uid: 0).state == .unknown)
    }

    /// The root of a namespace is looked at again.
    @Test func rootThatIsChangedLater() throws {
        let folder = root(forged)
        var scene = try Scene(["unshare", "--mount"], root: nil, moveTo: folder.path)
        #expect(scene.settled(uid: 1000).owner == .host)
        scene.child.tell()
        #expect(scene.child.line())
        scene.now += second / 10
        let found = scene.settled(uid: 1000)
        #expect(found.owner == .tenant && found.user == "mallory" && found.claimed)
        // So are its files.
        folder.write("etc/passwd", "renamed:x:1000:1000::/:\n")
        scene.now += second
        #expect(scene.settled(uid: 1000).user == "renamed")
        scene.now += 61 * second
        #expect(scene.look(uid: 1000).state == .unknown)
    }

    @Test(arguments: [
        "../../../../../../../../../../../outside", "/../outside", "/proc/1/root/etc/passwd", "/proc/self/root/outside", "/dev/zero", "/dev/fd/0", "loop",
    ])
    func linksDoNotLeadOut(_ target: String) throws {
        let above = AccountFolder()
        above.write("outside", "escaped:x:0:0::/:\n")
        let path = "\(above.path)/root"
        for folder in [path, "\(path)/etc", "\(path)/proc", "\(path)/dev"] { mkdir(folder, 0o755) }
        symlink(target, "\(path)/etc/passwd")
        symlink("loop", "\(path)/etc/loop")
        symlink("/etc/passwd", "\(path)/etc/group")
        var scene = try Scene(
            ["unshare", "--mount"], shell: "mount -t proc none \(path)/proc && mount -t tmpfs none \(path)/dev && mknod \(path)/dev/zero c 1 5", root: path)
        let found = scene.settled(uid: 0)
        #expect(found.owner == .tenant && found.claimed && found.user.isEmpty && found.group.isEmpty)
    }

    /// A link that stays inside is one.
    @Test func linksInside() throws {
        let folder = root(nil)
        mkdir("\(folder.path)/usr", 0o755)
        folder.write("usr/passwd", forged)
        symlink("/../usr/passwd", "\(folder.path)/etc/passwd")
        var scene = try Scene(["unshare", "--mount"], root: folder.path)
        #expect(scene.settled(uid: 0).user == "evil")
    }

    enum Trap: CaseIterable { case fifo, device, folder, socket, huge, mount, missing }

    @Test(arguments: Trap.allCases)
    func whatIsNoFileOfAccounts(_ trap: Trap) throws {
        let folder = root(nil)
        let path = "\(folder.path)/etc/passwd"
        var shell = ""
        switch trap {
        case .fifo: mkfifo(path, 0o644)
        case .device: mknod(path, S_IFCHR | 0o644, 1 << 8 | 5)
        case .folder: mkdir(path, 0o755)
        case .socket: mknod(path, S_IFSOCK | 0o644, 0)
        case .huge:
            // A name behind the first MiB, in a file without end.
            folder.write("etc/passwd", String(repeating: "#", count: 2 << 20) + "\n" + forged)
            truncate(path, 1 << 40)
        case .mount:
            // Whatever is mounted there is not entered: it may be a file system that never answers.
            folder.write("etc/passwd", "")
            shell = "mount -t tmpfs none /mnt && echo 'evil:x:0:0:' > /mnt/file && mount --bind /mnt/file \(path)"
        case .missing: break
        }
        var scene = try Scene(["unshare", "--mount"], shell: shell, root: folder.path)
        let found = scene.settled(uid: 0)
        #expect(found.owner == .tenant && found.claimed && found.user.isEmpty)
        // The other file is as good as ever.
        #expect(found.group == "wheel")
    }

    @Test func processThatIsGone() throws {
        let folder = root(forged)
        var scene = try Scene(["unshare", "--mount"], root: folder.path)
        let real = scene.actor.pid
        // One that is not in that namespace, and one that is none; then the parent is.
        for pid in [UInt32(getpid()), 4_000_000, 0, .max] {
            scene.actor.pid = pid
            _ = scene.look(uid: 0)
            usleep(50_000)
            scene.table.collect(now: scene.now)
            let found = scene.look(uid: 0)
            #expect(found.owner == .tenant && found.user.isEmpty && found.state == .pending)
            scene.now += 21_000_000
            if found.state != .pending { break }
            scene.now -= 20_000_000
            scene.table = ContainerUsers()
        }
        scene.actor.parent_pid = real
        #expect(scene.settled(uid: 0).user == "evil")
    }

    @Test func exitingTaskWithoutNamespaces() throws {
        var scene = try Scene(["unshare", "--mount"], root: nil)
        scene.actor.ns_mount = 0
        let found = scene.look(uid: 0)
        #expect(found.owner == .tenant && found.state == .unknown)
        #expect(scene.table.host.mountNamespace != 0)
    }

    @Test func listsAreBounded() throws {
        let folder = root(forged)
        var scene = try Scene(["unshare", "--mount"], root: folder.path)
        scene.table = ContainerUsers(mostBytes: 8)
        #expect(scene.settled(uid: 0).user.isEmpty)
        #expect(scene.table.dropped == 2)
    }

    /// The facade: what is a tenant's claim, and what is always the host's.
    @Test func loginUserIsTheHosts() throws {
        let folder = root(forged)
        let own = AccountFolder()
        own.write("passwd", "root:x:0:0::/:\nann:x:1000:1000::/:\n")
        own.write("group", "root:x:0:\n")
        let scene = try Scene(["unshare", "--mount"], root: folder.path)
        var users = Users(
            host: UserNames(passwd: "\(own.path)/passwd", group: "\(own.path)/group") { _, _ in .none }, containers: ContainerUsers(),
            sessions: LoginSessions(folder: own.path, utmp: "/nowhere"))
        var actor = scene.actor
        (actor.uid, actor.euid, actor.suid) = (1000, 1000, 1000)
        actor.login_uid = 1000
        let given = actor
        try withActor({ $0 = given }) { view in
            var facts = ActorFacts()
            #expect(users.fill(&facts, of: view, inTenant: true, now: second) == .pending)
            #expect(text(facts.loginUserName) == "ann" && facts.userName.isEmpty && facts.effectiveUserName.isEmpty)
            let before = users.generation
            until("the names") {
                users.collect(now: second)
                return users.generation != before
            }
            _ = users.fill(&facts, of: view, inTenant: true, now: second)
            #expect(text(facts.loginUserName) == "ann" && text(facts.userName) == "mallory" && facts.namesAreClaimed)
            try #require(users.fill(&facts, of: view, inTenant: true, now: second) == .known)
        }
        // And a host's process: sudo from a login.
        actor.ns_mount = users.identity.mountNamespace
        (actor.euid, actor.suid) = (0, 0)
        let sudo = actor
        withActor({ $0 = sudo }) { view in
            var facts = ActorFacts()
            #expect(users.fill(&facts, of: view, inTenant: false, now: second) == .known)
            #expect(text(facts.userName) == "ann" && text(facts.effectiveUserName) == "root" && text(facts.savedUserName) == "root")
            #expect(text(facts.groupName) == "root" && text(facts.effectiveGroupName) == "root")
            #expect(text(facts.loginUserName) == "ann" && !facts.namesAreClaimed && facts.innerUser == nil)
        }
    }
}
