@testable import Attribution
import Glibc
import Hashing
import KernelABI
import Synchronization
import Testing

private func hexadecimal(_ digest: SHA256Digest) -> String {
    digest.withBytes { $0.map { byte in String(byte >> 4, radix: 16) + String(byte & 15, radix: 16) }.joined() }
}

/// A service that stops with the test.
private final class Hashes {
    let it: FileHashes
    init(_ change: (inout HashLimits) -> Void = { _ in }, beforeReading: @escaping @Sendable () -> Void = {}) {
        var limits = HashLimits()
        change(&limits)
        it = FileHashes(limits, reader: HashReader(limits, beforeReading: beforeReading))
    }
    deinit { it.stop() }
}

private final class Gate: Sendable { let open = Atomic<Bool>(false) }

@Suite struct FileHashesTests {
    @Test(arguments: [0, 1, 4096, 131_072, 131_073, 1_000_000])
    func agreesWithSha256sum(_ size: Int) {
        let folder = Folder()
        let path = folder.file("file", (0..<size).map { UInt8(truncatingIfNeeded: $0 &* 31) })
        let hashes = Hashes()
        let identity = identity(path)
        #expect(hashes.it.look(identity) == .unknown)
        guard case .success(let digest) = settled(hashes.it, identity, path: path) else { return #expect(Bool(false)) }
        #expect(String(decoding: run(["/usr/bin/sha256sum", path]).output.prefix(64), as: UTF8.self) == hexadecimal(digest))
        digest.withBytes { #expect(hashes.it.look(identity) == .known($0)) }
        // Once.
        #expect(settled(hashes.it, identity, path: path) == .success(digest))
        #expect(hashes.it.counts.hashed == 1)
    }

    @Test func runsFromAFileThatIsGone() {
        let folder = Folder()
        let program = contents("/bin/sleep") ?? []
        let path = folder.file("program", program)
        let before = identity(path)
        let pid = begin(path, ["program", "100"])
        #expect(pid > 0)
        defer { end(pid) }
        unlink(path)
        // Another with the same name is not what runs.
        write(Array("another".utf8), to: path)
        let hashes = Hashes()
        #expect(settled(hashes.it, before, executable: pid, path: path) == .success(digest(program)))
        // A later process with that number would be another.
        let other = Hashes()
        #expect(settled(other.it, before, executable: pid, start: 1, path: "") == .failure(.gone))
    }

    @Test func hasEndedAndIsStillThere() {
        let folder = Folder()
        let program = contents("/bin/true") ?? []
        let path = folder.file("program", program)
        let pid = begin(path, ["program"])
        waitpid(pid, nil, 0)
        let hashes = Hashes()
        #expect(settled(hashes.it, identity(path), executable: pid, path: path) == .success(digest(program)))
    }

    @Test func memoryAlone() {
        let program = contents("/bin/sleep") ?? []
        // Not in the headers that Swift sees.
        typealias Create = @convention(c) (UnsafePointer<CChar>, UInt32) -> Int32
        let memory = unsafeBitCast(dlsym(nil, "memfd_create"), to: Create.self)("program", 0)
        #expect(memory >= 0 && Glibc.write(memory, program, program.count) == program.count)
        // Whoever has it open for writing can't run it.
        let again = open("/proc/self/fd/\(memory)", O_RDONLY)
        var status = stat()
        fstat(again, &status)
        close(memory)
        let pid = begin("/proc/self/fd/\(again)", ["program", "100"])
        close(again)
        #expect(pid > 0)
        let hashes = Hashes()
        #expect(settled(hashes.it, identity(status), executable: pid) == .success(digest(program)))
        end(pid)
        let other = Hashes()
        #expect(settled(other.it, identity(status), executable: pid, start: 1) == .failure(.gone))
    }

    @Test func changedWhileItIsRead() {
        let folder = Folder()
        let path = folder.file("file", [UInt8](repeating: 1, count: 1000))
        let hashes = Hashes(beforeReading: { write([2], to: path, flags: 0) })
        #expect(settled(hashes.it, identity(path), path: path) == .failure(.changed))
        #expect(hashes.it.counts.failed[Int(HashFailure.changed.rawValue)] == 1)
    }

    @Test func changedBeforeItIsRead() {
        let folder = Folder()
        let path = folder.file("file", [UInt8](repeating: 1, count: 1000))
        let before = identity(path)
        usleep(20_000)
        // The same inode, size and time of the content.
        write([2], to: path, flags: 0)
        let seconds = Int(before.mtime / 1_000_000_000)
        var times = [timespec(tv_sec: seconds, tv_nsec: Int(before.mtime % 1_000_000_000)), timespec(tv_sec: seconds, tv_nsec: Int(before.mtime % 1_000_000_000))]
        #expect(utimensat(AT_FDCWD, path, &times, 0) == 0)
        #expect(identity(path).mtime == before.mtime && identity(path).inode == before.inode)
        let hashes = Hashes()
        #expect(settled(hashes.it, before, path: path) == .failure(.changed))
        // As it is now it is another file.
        #expect(settled(hashes.it, identity(path), path: path) == .success(digest([2] + [UInt8](repeating: 1, count: 999))))
        // Another inode.
        unlink(path)
        write([3], to: path)
        let third = Hashes()
        #expect(settled(third.it, before, path: path) == .failure(.changed))
    }

    @Test func writtenJustBeforeItRan() {
        // A change in the same tick of the clock could not be seen.
        let folder = Folder()
        let path = folder.file("file", [1])
        let hashes = Hashes()
        #expect(settled(hashes.it, identity(path), path: path, time: identity(path).ctime + FileOpener.tick - 1) == .failure(.changed))
        // A failure of the moment: the next may have better luck.
        #expect(settled(hashes.it, identity(path), path: path) == .success(digest([1])))
    }

    @Test func tooLarge() {
        let folder = Folder()
        let path = folder.file("file", [])
        #expect(truncate(path, 1 << 40) == 0)
        let hashes = Hashes()
        #expect(settled(hashes.it, identity(path), path: path) == .failure(.tooLarge))
        let small = Hashes { $0.largest = 10 }
        #expect(settled(small.it, identity(folder.file("ten", [UInt8](repeating: 0, count: 10))), path: folder.path + "/ten") != .failure(.tooLarge))
        #expect(settled(small.it, identity(folder.file("eleven", [UInt8](repeating: 0, count: 11))), path: folder.path + "/eleven") == .failure(.tooLarge))
    }

    @Test func whatIsNoFile() {
        let folder = Folder()
        let hashes = Hashes()
        #expect(mkfifo(folder.path + "/fifo", 0o600) == 0)
        #expect(symlink("/bin/true", folder.path + "/link") == 0)
        for name in [folder.path + "/fifo", folder.folder("folder"), folder.path + "/link"] {
            let result = settled(hashes.it, identity(name), path: name)
            #expect(result == .failure(.unreadable) || result == .failure(.gone), "\(name)")
        }
        #expect(settled(hashes.it, identity("/dev/zero"), path: "/dev/zero", time: .max) == .failure(.unreadable))
        for path in ["", "relative", "/nowhere/at/all", "/", "/proc/self/exe", "/a\0b"] {
            var identity = identity(folder.path)
            identity.inode += 1
            #expect(settled(hashes.it, identity, path: path) != .success(SHA256Digest()), "\(path)")
        }
    }

    @Test func nobodyWaitsForAFileSystemThatDoesNotAnswer() {
        let device = open("/dev/fuse", O_RDWR | O_CLOEXEC)
        guard device >= 0 else { return }
        defer { close(device) }
        let folder = Folder()
        let point = folder.folder("mount")
        guard mount("nobody", point, "fuse", 0, "fd=\(device),rootmode=40000,user_id=0,group_id=0,allow_other") == 0 else { return }
        defer { umount2(point, Int32(MNT_DETACH)) }
        let hashes = Hashes()
        var identity = identity(folder.path)
        identity.inode += 1
        #expect(settled(hashes.it, identity, path: point + "/program") == .failure(.networkFileSystem))
    }

    @Test func fullQueue() {
        let folder = Folder()
        let gate = Gate()
        let hashes = Hashes({ $0.waiting = 2 }, beforeReading: { while !gate.open.load(ordering: .acquiring) { usleep(1000) } })
        var identities: [FileIdentity] = []
        var refused: [FileIdentity] = []
        for number in 0..<8 {
            let path = folder.file("\(number)", [UInt8(number)])
            let identity = identity(path)
            identities.append(identity)
            var bytes = Array(path.utf8)
            let state = bytes.withUnsafeMutableBytes {
                hashes.it.request(
                    identity,
                    FileSource(
                        .file, pid: 0, start: 0, parent: 0, time: .max, hostPath: UnsafeRawBufferPointer($0),
                        actorPath: UnsafeRawBufferPointer(start: nil, count: 0)))
            }
            if state == .failed(.busy) { refused.append(identity) } else { #expect(state == .pending) }
        }
        #expect(refused.count == 5 || refused.count == 6)
        #expect(hashes.it.counts.failed[Int(HashFailure.busy.rawValue)] == UInt64(refused.count))
        gate.open.store(true, ordering: .releasing)
        for (number, identity) in identities.enumerated() {
            #expect(wait(hashes.it, identity, .pending) == (refused.contains(identity) ? .failure(.busy) : .success(digest([UInt8(number)]))))
        }
        let number = identities.firstIndex(of: refused[0])!
        #expect(settled(hashes.it, refused[0], path: "\(folder.path)/\(number)") == .success(digest([UInt8(number)])))
    }

    @Test func slowly() {
        let folder = Folder()
        let bytes = [UInt8](repeating: 7, count: 1 << 20)
        let path = folder.file("file", bytes)
        let hashes = Hashes { $0.rate = 800 << 10 }
        #expect(settled(hashes.it, identity(path), path: path) == .success(digest(bytes)))
    }

    @Test func off() {
        let hashes = Hashes { $0.enabled = false }
        let identity = identity("/bin/true")
        #expect(settled(hashes.it, identity, path: "/bin/true") == .failure(.off))
        #expect(hashes.it.look(identity) == .failed(.off))
    }

    /// What an overlay's inode says may be older than what the file has in it.
    @Test func overlayIsLookedAtAgain() {
        let folder = Folder()
        let (lower, upper, work, merged) = (folder.folder("lower"), folder.folder("upper"), folder.folder("work"), folder.folder("merged"))
        guard mount("overlay", merged, "overlay", 0, "lowerdir=\(lower),upperdir=\(upper),workdir=\(work)") == 0 else { return }
        defer { umount2(merged, Int32(MNT_DETACH)) }
        let path = merged + "/program"
        write([1, 2, 3], to: path)
        let before = identity(path)
        let hashes = Hashes()
        #expect(settled(hashes.it, before, path: path) == .success(digest([1, 2, 3])))
        #expect(settled(hashes.it, before, path: path) == .success(digest([1, 2, 3])))
        #expect(hashes.it.counts.hashed == 1)
        usleep(20_000)
        write([9], to: upper + "/program", flags: 0)
        var times = [timespec(tv_sec: 0, tv_nsec: 0), timespec(tv_sec: Int(before.mtime / 1_000_000_000), tv_nsec: Int(before.mtime % 1_000_000_000))]
        #expect(utimensat(AT_FDCWD, upper + "/program", &times, 0) == 0)
        #expect(settled(hashes.it, before, path: path) == .failure(.changed))
        // The layer's own file is none of this file system's.
        let other = Hashes()
        #expect(settled(other.it, before, path: upper + "/program") == .failure(.changed))
    }
}

@Test func tableMakesRoomForTheNewest() {
    var table = IdentityTable<Int>(capacity: 64)
    #expect(table.capacity == 64)
    func identity(_ number: UInt64) -> FileIdentity {
        var object = hv_object()
        object.inode = number
        return FileIdentity(object, ctime: 1)
    }
    for number in 0..<1000 as Range<UInt64> {
        #expect(table.find(identity(number)) == nil)
        let entry = table.claim(identity(number))
        entry?.pointee.value = Int(number)
        entry?.pointee.state = .done
        #expect(table.find(identity(number))?.pointee.value == Int(number))
        // In use, it stays.
        #expect(table.find(identity(0))?.pointee.value == 0)
    }
    #expect(table.evicted >= 1000 - 64)
    // What is waited for does not make room.
    var waiting = IdentityTable<Int>(capacity: 4)
    for number in 0..<4 as Range<UInt64> { #expect(waiting.claim(identity(number)) != nil) }
    #expect(waiting.claim(identity(4)) == nil)
}

/// The process that a table belongs to ends between two readings of it: like a pipe, which gives its bytes once.
@Test func tablesOfMountsAreReadOnce() throws {
    var ends: [Int32] = [-1, -1]
    try #require(pipe(&ends) == 0)
    defer { close(ends[0]) }
    let text = Array("42 1 8:1 / /mnt rw,relatime shared:1 - ext4 /dev/sda1 rw\n".utf8)
    #expect(write(ends[1], text, text.count) == text.count)
    close(ends[1])
    let line = FileOpener.line(of: 42, in: ["/proc/nowhere/mountinfo", "/proc/self/fd/\(ends[0])"])
    #expect(line?.device == UInt32(8 << 20 | 1))
    #expect(FileOpener.line(of: 42, in: ["/proc/self/fd/\(ends[0])"]) == nil)
}
