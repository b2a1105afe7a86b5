@testable import Attribution
import Glibc
import Hashing
import KernelABI
import Testing

/// A folder that is removed with all in it when the test is over.
final class Folder {
    let path: String

    init() {
        var template = Array("/tmp/hypervigil-attribution.XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { fatalError("no temporary folder: errno \(errno)") }
        path = template.withUnsafeBytes { String(decoding: $0.dropLast(), as: UTF8.self) }
    }

    deinit { _ = run(["/bin/rm", "-rf", "--one-file-system", path]) }

    func file(_ name: String, _ bytes: [UInt8], mode: mode_t = 0o755) -> String {
        let path = path + "/" + name
        write(bytes, to: path, mode: mode)
        return path
    }

    func file(_ name: String, _ text: String) -> String { file(name, Array(text.utf8), mode: 0o644) }

    func folder(_ name: String) -> String {
        let path = path + "/" + name
        #expect(mkdir(path, 0o755) == 0)
        return path
    }
}

func write(_ bytes: [UInt8], to path: String, mode: mode_t = 0o755, flags: Int32 = O_CREAT | O_TRUNC) {
    let descriptor = open(path, O_WRONLY | flags, mode)
    #expect(descriptor >= 0 && Glibc.write(descriptor, bytes, bytes.count) == bytes.count)
    close(descriptor)
}

/// Standard output and status of a program.
func run(_ arguments: [String]) -> (output: [UInt8], status: Int32) {
    var output: Int32 = -1
    var pointers: [UnsafeMutablePointer<CChar>?] = arguments.map { strdup($0) } + [nil]
    var environment: [UnsafeMutablePointer<CChar>?] = [strdup("PATH=/usr/sbin:/usr/bin:/sbin:/bin"), strdup("LC_ALL=C"), nil]
    defer { (pointers + environment).forEach { free($0) } }
    let pid = hv_run(arguments[0], &pointers, &environment, &output)
    guard pid > 0 else { return ([], -1) }
    let bytes = contents(of: output, limit: 256 << 20) ?? []
    close(output)
    var status: Int32 = 0
    waitpid(pid, &status, 0)
    return (bytes, status)
}

/// Starts a program that goes on; `end` it.
func begin(_ path: String, _ arguments: [String]) -> pid_t {
    var pid = pid_t()
    let pointers: [UnsafeMutablePointer<CChar>?] = arguments.map { strdup($0) } + [nil]
    defer { pointers.forEach { free($0) } }
    return posix_spawn(&pid, path, nil, nil, pointers, environ) == 0 ? pid : -1
}

func end(_ pid: pid_t) {
    guard pid > 0 else { return }
    kill(pid, SIGKILL)
    waitpid(pid, nil, 0)
}

/// As the kernel side tells it.
func identity(_ status: stat) -> FileIdentity {
    var object = hv_object()
    object.inode = UInt64(status.st_ino)
    object.size = UInt64(status.st_size)
    object.mtime = nanoseconds(status.st_mtim)
    object.device = hv_device(UInt64(status.st_dev))
    return FileIdentity(object, ctime: nanoseconds(status.st_ctim))
}

func identity(_ path: String) -> FileIdentity {
    var status = stat()
    #expect(lstat(path, &status) == 0)
    return identity(status)
}

func digest(_ bytes: [UInt8]) -> SHA256Digest { bytes.withUnsafeBytes { SHA256.of($0) } }

/// What a request leads to in the end.
func settled(_ hashes: FileHashes, _ identity: FileIdentity, executable pid: pid_t = 0, start: UInt64? = nil, path: String = "", time: UInt64? = nil)
    -> Result<SHA256Digest, HashFailure>?
{
    var path = Array(path.utf8)
    let ticks = pid > 0 ? FileOpener.start(of: UInt32(pid)) : nil
    let state = path.withUnsafeMutableBytes { path in
        let source = FileSource(
            pid > 0 ? .executable : .file, pid: UInt32(pid), start: start ?? (ticks ?? 0) * FileOpener.userTick, parent: 0,
            time: time ?? identity.ctime + FileOpener.tick, hostPath: UnsafeRawBufferPointer(path), actorPath: UnsafeRawBufferPointer(start: nil, count: 0))
        return hashes.request(identity, source)
    }
    return wait(hashes, identity, state)
}

func wait(_ hashes: FileHashes, _ identity: FileIdentity, _ state: FileHashes.State) -> Result<SHA256Digest, HashFailure>? {
    var state = state
    while true {
        switch state {
        case .unknown: return nil
        case .known(let bytes): return .success(SHA256Digest(bytes))
        case .failed(let failure): return .failure(failure)
        case .pending: break
        }
        usleep(1000)
        hashes.take()
        state = hashes.look(identity)
    }
}
