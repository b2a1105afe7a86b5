import Redaction
import Rings
import Testing

/// A command line, and what is to be seen of it; nil: all. Every secret in them contains S3.
struct Line: CustomTestStringConvertible, Sendable {
    let arguments: [String]
    let expected: [String]

    init(_ arguments: [String], _ expected: [String]? = nil) {
        self.arguments = arguments
        self.expected = expected ?? arguments
    }

    var testDescription: String { arguments.joined(separator: " ") }
}

private let m = "[redacted]"

let options: [Line] = [
    Line(["psql", "--password", "S3cr3t", "-h", "db"], ["psql", "--password", m, "-h", "db"]),
    Line(["a", "--password=S3 x y", "b"], ["a", "--password=" + m, "b"]),
    Line(["a", "--PASSWORD", "S3", "b"], ["a", "--PASSWORD", m, "b"]),
    Line(["a", "--client-secret", "S3", "--client_secret=S3"], ["a", "--client-secret", m, "--client_secret=" + m]),
    Line(["a", "--api_key", "S3", "--apikey", "S3", "--Api-Key=S3"], ["a", "--api_key", m, "--apikey", m, "--Api-Key=" + m]),
    Line(["a", "-token", "S3", "-token=S3"], ["a", "-token", m, "-token=" + m]),
    Line(["a", "--passphrase", "S3", "--auth-token", "S3"], ["a", "--passphrase", m, "--auth-token", m]),
    Line(["a", "--secret", "-S3cr3t!", "x"], ["a", "--secret", m, "x"]),
    Line(["a", "--pass", "S3", "--db-pass=S3", "--dbPass=S3"], ["a", "--pass", m, "--db-pass=" + m, "--dbPass=" + m]),
    Line(["java", "-Dspring.datasource.password=S3", "-Djavax.net.ssl.keyStorePassword=S3", "Main"],
         ["java", "-Dspring.datasource.password=" + m, "-Djavax.net.ssl.keyStorePassword=" + m, "Main"]),
    Line(["a", "--private-key", "S3base64=", "--private-key", "/etc/key.pem", "--private-key=~/key"],
         ["a", "--private-key", m, "--private-key", "/etc/key.pem", "--private-key=~/key"]),
    Line(["a", "--key", "-----BEGIN RSA PRIVATE KEY-----\nS3S3\nS3==\n-----END RSA PRIVATE KEY-----\n"],
         ["a", "--key", "-----BEGIN RSA PRIVATE KEY-----" + m + "-----END RSA PRIVATE KEY-----\n"]),
    Line(["helm", "--set", "auth.password=S3,x=S3", "--set=token=S3"], ["helm", "--set", "auth.password=" + m, "--set=token=" + m]),
    Line(["redis-server", "--requirepass", "S3"], ["redis-server", "--requirepass", m]),
    Line(["a", "--password", ""]),
    Line(["a", "--password"]),
    Line(["a", "--password="]),
    Line(["mysql", "--password", "-u", "root"]),
    Line(["a", "--token", "--verbose"]),
    Line(["a", "--password-file", "/etc/shadow"]),
    Line(["a", "--token-ttl", "5m", "--max-tokens", "7", "--tokenizer", "bpe"]),
    Line(["a", "--no-password", "-h", "db", "--ask-pass", "db"]),
    Line(["a", "--bypass", "yes", "--compass=north"]),
    Line(["cat", "/etc/passwd", "/etc/passwd"]),
    Line(["env", "PWD=/root", "OLDPWD=/tmp", "ls"]),
    Line(["kubectl", "get", "secret", "db", "-o", "yaml"]),
    Line(["grep", "-r", "password", "/etc"]),
    Line(["docker", "run", "-e", "PASSWORD", "image", "-p", "80:80"]),
    Line(["git", "commit", "-m", "rotate the token and the secret of it"]),
    Line(["aws", "configure", "set", "aws_secret_access_key", "S3"], ["aws", "configure", "set", "aws_secret_access_key", m]),
    Line(["git", "config", "--global", "mail.password", "S3"], ["git", "config", "--global", "mail.password", m]),
    Line(["qemu-system-x86_64", "-object", "tls-creds-x509,id=a", "-drive", "file=/a,password-secret=sec0", "-spice", "port=1,password=S3"],
         ["qemu-system-x86_64", "-object", "tls-creds-x509,id=a", "-drive", "file=/a,password-secret=sec0", "-spice", "port=1,password=" + m]),
]

let variables: [Line] = [
    Line(["env", "PGPASSWORD=S3", "AWS_SECRET_ACCESS_KEY=S3/S3+S3", "TOKEN=S3", "MYSQL_PWD=S3", "A=b", "psql"],
         ["env", "PGPASSWORD=" + m, "AWS_SECRET_ACCESS_KEY=" + m, "TOKEN=" + m, "MYSQL_PWD=" + m, "A=b", "psql"]),
    Line(["docker", "run", "-e", "POSTGRES_PASSWORD=S3 S3", "--env=GITHUB_TOKEN=S3", "x"],
         ["docker", "run", "-e", "POSTGRES_PASSWORD=" + m, "--env=GITHUB_TOKEN=" + m, "x"]),
    Line(["mount", "-o", "username=x,password=S3 S3,uid=0", "//h/s", "/mnt"], ["mount", "-o", "username=x,password=" + m, "//h/s", "/mnt"]),
    Line(["psql", "host=db password=S3 dbname=x"], ["psql", "host=db password=\(m) dbname=x"]),
    Line(["psql", "host=db password='S3 S3' dbname=x"], ["psql", "host=db password=\(m) dbname=x"]),
    Line(["openssl", "enc", "-pass", "pass:S3", "-passin", "pass:S3"], ["openssl", "enc", "-pass", m, "-passin", "pass:" + m]),
    Line(["a", "AWS_ACCESS_KEY_ID=AKIA", "TOKEN_FILE=/x", "PASSWORD_STORE_DIR=/y"]),
    Line(["a", "password = S3"], ["a", "password = " + m]),
]

let scripts: [Line] = [
    Line(["sh", "-c", "TOKEN=S3 cmd --password 'S3 S3' --verbose"], ["sh", "-c", "TOKEN=\(m) cmd --password \(m) --verbose"]),
    Line(["bash", "-lc", "export TOKEN=\"S3 S3\"; echo done"], ["bash", "-lc", "export TOKEN=\(m); echo done"]),
    Line(["sh", "-c", "a --token S3\\ S3 b"], ["sh", "-c", "a --token \(m) b"]),
    Line(["sh", "-c", "a --token=S3'S3 S3'\"S3 \\\" S3\" b|c"], ["sh", "-c", "a --token=\(m) b|c"]),
    Line(["sh", "-c", "export \"TOKEN=S3 S3\" && run"], ["sh", "-c", "export \"TOKEN=\(m)\" && run"]),
    Line(["sh", "-c", "x=$(vault --token S3) y"], ["sh", "-c", "x=$(vault --token \(m)) y"]),
    Line(["sh", "-c", "curl -H \"X-Api-Key: S3 S3\" http://h/"], ["sh", "-c", "curl -H \"X-Api-Key: \(m)\" http://h/"]),
    Line(["sh", "-c", "curl -d '{\"password\": \"S3 S3\", \"user\": \"me\"}' h"], ["sh", "-c", "curl -d '{\"password\": \"\(m)\", \"user\": \"me\"}' h"]),
    Line(["sh", "-c", "curl -d \"{\\\"password\\\":\\\"S3 S3\\\",\\\"a\\\":1}\" h"], ["sh", "-c", "curl -d \"{\\\"password\\\":\\\"\(m)\\\",\\\"a\\\":1}\" h"]),
    Line(["sh", "-c", "mysql -u root -p'S3 S3' db; mysql -pS3 -e x; ls -pS"], ["sh", "-c", "mysql -u root -p\(m) db; mysql -p\(m) -e x; ls -pS"]),
    Line(["sh", "-c", "curl -sSu me:S3 'https://h/?token=S3&b=1' | sh"], ["sh", "-c", "curl -sSu me:\(m) 'https://h/?token=\(m)&b=1' | sh"]),
    Line(["sh", "-c", "[ \"$token\" = yes ] && grep password file"]),
    Line(["sh", "-c", "TOKEN=S3\nrun"], ["sh", "-c", "TOKEN=\(m)\nrun"]),
    Line(["sh", "-c", "run --password \\\n S3 --x"], ["sh", "-c", "run --password \\\n \(m) --x"]),
    Line(["su", "-", "me", "-c", "DB_PASS='S3 S3' run"], ["su", "-", "me", "-c", "DB_PASS=\(m) run"]),
    Line(["ssh", "h", "cd / && TOKEN='S3 S3' run"], ["ssh", "h", "cd / && TOKEN=\(m) run"]),
    Line(["worker: run --password S3 --x y"], ["worker: run --password \(m) --x y"]),
]

let shapes: [Line] = [
    Line(["git", "clone", "https://me:S3@github.com/a/b"], ["git", "clone", "https://me:\(m)@github.com/a/b"]),
    Line(["git", "clone", "https://ghp_S3aaaaaaaaaaaaaaaaaaaa@github.com/a"], ["git", "clone", "https://\(m)@github.com/a"]),
    Line(["git", "clone", "https://ghp_S3aaaaaaaaaaaaaaaaaaaa:x-oauth-basic@github.com/a"], ["git", "clone", "https://\(m):\(m)@github.com/a"]),
    Line(["a", "postgres://u:S3/S3?S3@h/db"], ["a", "postgres://u:\(m)@h/db"]),
    Line(["a", "redis://:S3@h:6379"], ["a", "redis://:\(m)@h:6379"]),
    Line(["a", "amqp://u:S3@S3@h"], ["a", "amqp://u:\(m)@h"]),
    Line(["a", "--url=https://u:S3@h/?a=b&api_key=S3&c=d"], ["a", "--url=https://u:\(m)@h/?a=b&api_key=\(m)&c=d"]),
    Line(["a", "https://h/?token=S3&x=1#f"], ["a", "https://h/?token=\(m)&x=1#f"]),
    Line(["a", "https://h:8443/@scope/p", "http://[::1]:80/x@y", "ssh://git@h/x", "docker://h:5000/a@sha256:00"]),
    Line(["curl", "-H", "Authorization: Bearer S3.S3"], ["curl", "-H", "Authorization: Bearer " + m]),
    Line(["curl", "-H", "authorization: S3 S3"], ["curl", "-H", "authorization: " + m]),
    Line(["curl", "-H", "X-Api-Key:S3", "--header=Cookie: a=S3; b=S3"], ["curl", "-H", "X-Api-Key:" + m, "--header=Cookie: " + m]),
    Line(["curl", "-d", "user=me&password=S3&x=y"], ["curl", "-d", "user=me&password=\(m)&x=y"]),
    Line(["curl", "--json", "{\"a\":1,\"token\":\"S3\\\"S3\",\"pin\":1}"], ["curl", "--json", "{\"a\":1,\"token\":\"\(m)\",\"pin\":\(m)}"]),
    Line(["curl", "-u", "me:S3", "-U", "p:S3", "-ume:S3", "h"], ["curl", "-u", "me:" + m, "-U", "p:" + m, "-ume:" + m, "h"]),
    Line(["curl", "-u", "me", "h"]),
    Line(["/usr/bin/mysqldump", "-uroot", "-pS3", "db"], ["/usr/bin/mysqldump", "-uroot", "-p" + m, "db"]),
    Line(["mysql", "-p", "db"]),
    Line(["sshpass", "-p", "S3", "ssh", "-p", "22", "h"], ["sshpass", "-p", m, "ssh", "-p", m, "h"]),
    Line(["sudo", "-u", "x", "redis-cli", "-a", "S3"], ["sudo", "-u", "x", "redis-cli", "-a", m]),
    Line(["docker", "login", "-u", "me", "-p", "S3", "h"], ["docker", "login", "-u", "me", "-p", m, "h"]),
    Line(["htpasswd", "-nbB", "me", "S3"], ["htpasswd", "-nbB", "me", m]),
    Line(["smbclient", "//h/s", "-U", "me%S3"], ["smbclient", "//h/s", "-U", "me%" + m]),
    Line(["ldapsearch", "-x", "-w", "S3"], ["ldapsearch", "-x", "-w", m]),
    Line(["zip", "-r", "-P", "S3", "a.zip", "a"], ["zip", "-r", "-P", m, "a.zip", "a"]),
    Line(["echo", "glpat-S3aaaaaaaaaaaaaaaaaa", "(eyJhbGciOiJIUzI1NiJ9.S3aa.S3aa)"], ["echo", "glpat-" + m, "(eyJhbGciOi\(m))"]),
    Line(["npm-check", "npm-run-all", "pypi-server"]),
]

struct RedactorTests {
    @Test(arguments: options + variables + scripts + shapes)
    func lines(line: Line) throws {
        let (bytes, count) = try masked(joined(line.arguments))
        #expect(texts(bytes) == line.expected)
        #expect((count == 0) == (line.arguments == line.expected))
        #expect(count == UInt32(line.expected.joined(separator: "\0").ranges(of: "[redacted]").count))
        // What is masked once stays as it is.
        #expect(try masked(bytes).bytes == bytes)
    }

    @Test func configuredNamesAndExceptions() throws {
        let rules = RedactionRules(names: ["sesame", "X_Magic"], keep: ["github_token", "password"])
        #expect(try masked(["a", "--open-sesame", "S3", "SESAME=S3", "--x-magic=S3"], rules) == ["a", "--open-sesame", m, "SESAME=" + m, "--x-magic=" + m])
        #expect(try masked(["a", "notsesame=1", "GITHUB_TOKEN=x", "--password", "y", "db.password=z"], rules)
            == ["a", "notsesame=1", "GITHUB_TOKEN=x", "--password", "y", "db.password=z"])
        #expect(try masked(["a", "DB_PASSWORD=S3", "OTHER_TOKEN=S3"], rules) == ["a", "DB_PASSWORD=" + m, "OTHER_TOKEN=" + m])
    }

    @Test func optionsAreNoneInPaths() throws {
        let redactor = try Redactor()
        var scratch = RedactionScratch(redactor)
        let record = Samples.exec(joined(["x"]), executable: "/srv/curl -u a:b --password x", filename: "https://u:S3@h/")
        #expect(redactor.redact(record.span.bytes, into: &scratch) == 1)
        guard let view = ExecView(scratch.bytes) else {
            Issue.record("no record")
            return
        }
        #expect(String(decoding: copy(view.executable), as: UTF8.self) == "/srv/curl -u a:b --password x")
        #expect(String(decoding: copy(view.filename), as: UTF8.self) == "https://u:[redacted]@h/")
    }

    /// Blanks that are neither a space nor a tab once kept a walk over words where it was.
    @Test(arguments: ["\r", "\u{b}", "\u{c}", "\n", "\t"])
    func blanksInScripts(blank: String) throws {
        #expect(try masked(["sh", "-c", "curl -s\(blank)\(blank)x -u me:S3"]).joined().contains("me:S3") == (blank == "\n"))
    }

    @Test func nothingIsMadeOfNothing() throws {
        #expect(try masked([UInt8]()).count == 0)
        #expect(try masked([0, 0, 0]).count == 0)
        #expect(try masked(Array("--password".utf8)).count == 0)
    }
}
