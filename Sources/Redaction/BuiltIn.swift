/// What is a secret where nothing is configured. Lower case; `-` stands for `_` too.
enum BuiltIn {
    /// A name of an option, variable, header or key is a secret's if it **ends** with one of these: `MYSQL_ROOT_PASSWORD`,
    /// `--client-secret`, `keyStorePassword`; not `--password-file`.
    static let names: [(name: StaticString, flags: NameFlags)] = [
        ("password", []), ("passwd", []), ("passphrase", []), ("passcode", []), ("requirepass", []), ("masterauth", []), ("sshpass", []),
        ("secret", []), ("token", []), ("bearer", .scheme), ("jwt", .word), ("cookie", []),
        ("apikey", []), ("api-key", []), ("accesskey", []), ("access-key", []), ("secretkey", []), ("secret-key", []), ("auth-key", []),
        ("authkey", []), ("account-key", []), ("accountkey", []), ("master-key", []), ("encryption-key", []), ("signing-key", []),
        ("shared-key", []), ("sharedkey", []), ("connection-string", []), ("connectionstring", []),
        ("authorization", []), ("creds", .path), ("credential", .path), ("credentials", .path),
        ("private-key", .path), ("privatekey", .path), ("secret-value", []),
        // Short ones begin at a word's boundary: `DB_PASS`, `dbPass` and `--pass`, not `--bypass`.
        ("pass", .word), ("pwd", .word), ("pw", .word), ("psk", .word), ("pin", .word), ("otp", .word),
    ]

    /// Whole names that end as a secret's would.
    static let keep: [StaticString] = [
        "pwd", "oldpwd", "password-secret", "key-secret", "image-pull-secret", "ssh-askpass-token", "get-login-password", "next-token", "starting-token",
        "continuation-token", "page-token", "cancellation-token",
    ]

    /// An option whose name begins so takes no secret as its next argument: `--no-password -h db`. With `=` it may.
    static let negations: [StaticString] = [
        "no-", "ask-", "skip-", "disable-", "without-", "prompt-", "prompt-for-", "show-", "hide-", "allow-", "require-", "generate-", "reset-", "nopass",
    ]

    /// Beginnings of tokens that tell what they are, wherever they stand: what follows is masked, where it is long enough.
    static let tokens: [StaticString] = [
        "ghp-", "gho-", "ghu-", "ghs-", "ghr-", "github-pat-",  // GitHub
        "glpat-", "gldt-", "glrt-", "glptt-",  // GitLab
        "xoxb-", "xoxp-", "xoxa-", "xoxr-", "xoxs-", "xapp-",  // Slack
        "sk-live-", "rk-live-", "sk-ant-", "sk-proj-",
        "hvs.", "hvb.",  // Vault
        "npm-", "pypi-", "dckr-pat-", "dop-v1-", "eyjhbgcioi", "eyj0exaioi",  // the last two: JSON web tokens
    ]

    /// Shortest that can be one behind its beginning; what is shorter is a name that happens to begin so.
    static let tokenLength = 16

    /// Short options of programs, which are too short to mean anything elsewhere.
    static let programs: [Program] = [
        Program(["mysql", "mysqldump", "mysqladmin", "mysqlimport", "mysqlcheck", "mysqlshow", "mysqlslap", "mysqlpump", "mysqlbinlog"], "p", .attached),
        Program(["mariadb", "mariadb-dump", "mariadb-admin", "mariadb-import", "mariadb-check", "mariadb-show", "mariadb-backup", "mysql-upgrade"], "p", .attached),
        Program(["7z", "7za", "7zr", "7zz", "rar", "unrar"], "p", .attached),
        Program(["sshpass"], "p", .value),
        Program(["curl"], "uU", .credentials),
        Program(["http", "https", "httpie"], "a", .credentials),
        Program(["ldapsearch", "ldapadd", "ldapmodify", "ldapdelete", "ldapcompare", "ldapmodrdn", "ldapwhoami"], "w", .value),
        Program(["ldappasswd"], "was", .value),
        Program(["redis-cli", "valkey-cli"], "a", .value),
        Program(["mongo", "mongosh", "mongodump", "mongorestore", "mongoexport", "mongoimport", "mongostat", "mongotop"], "p", .value),
        Program(["zip", "unzip", "zipcloak", "sqlcmd", "bcp", "ipmitool"], "P", .value),
        Program(["smbclient", "rpcclient", "net", "smbget", "smbcacls", "winexe"], "U", .credentials),
        Program(["lftp"], "u", .credentials),
        Program(["snmpget", "snmpwalk", "snmpset", "snmpgetnext", "snmpbulkget", "snmpbulkwalk", "snmptrap", "snmptable"], "AXc", .value),
        Program(["docker", "podman", "nerdctl", "buildah", "helm", "oras", "skopeo", "crane"], "p", .value, onlyLogin: true),
        Program(["htpasswd"], "b", .last),
        Program(["openssl"], "kK", .value),
        Program(["useradd", "usermod"], "p", .value),
    ]
}

/// How a name is told from words that end alike, and what its value may be.
struct NameFlags: OptionSet, Sendable {
    let rawValue: UInt8
    /// It begins where a word does.
    static let word = NameFlags(rawValue: 1)
    /// A value that is a path is none.
    static let path = NameFlags(rawValue: 2)
    /// `Bearer VALUE`: the name of a scheme, with a space behind it.
    static let scheme = NameFlags(rawValue: 4)
}

/// Programs that share short options for secrets.
struct Program: Sendable {
    enum Form: Sendable {
        /// Only `-pVALUE`; `-p` alone asks for it.
        case attached
        /// `-p VALUE` or `-pVALUE`.
        case value
        /// The same with a user's name before `:`, `%` or `,`, which stays.
        case credentials
        /// With the option, the last argument.
        case last
    }

    let names: [StaticString]
    let letters: StaticString
    let form: Form
    /// Only behind the word `login`.
    let onlyLogin: Bool

    init(_ names: [StaticString], _ letters: StaticString, _ form: Form, onlyLogin: Bool = false) {
        self.names = names
        self.letters = letters
        self.form = form
        self.onlyLogin = onlyLogin
    }

    func has(_ letter: UInt8) -> Bool { letters.withUTF8Buffer { $0.contains(letter) } }
}
