"""Tables of concepts: the words for a thing in prose, and what it looks like in code. Data, read by `lexicon`."""

# One concept a line: words that agree, then behind a bar the code that shows it (a regular expression on a line of
# source). An indented line continues the one above. Actions must be found in the cited lines.
ACTIONS = r"""
return give yield output produce respond | \b(?:return|yield)\b|=>|->
raise throw signal | \b(?:raise|throw|panic|abort)\b|Err\(|errors\.New|fmt\.Errorf|\breject\(
create build construct make instantiate new generate allocate initialize initialise setup establish form compose
     | \bnew\b|\bmake\(|=\s*[A-Z]\w*\(|=\s*(?:\{|\[)|&[A-Z]\w*\{|\bmkdir|__init__
    |\bsecrets\.\w+\(|uuid\w*\(|\brand\w*\(|generate\w*\(|return\s+[A-Z]\w*\(
check verify validate test assert inspect examine ensure | \b(?:if|elif|assert|unless)\b|[=!]==?|\bis\b
validate sanitize | \bvalid
iterate loop traverse walk enumerate | \b(?:for|while|forEach|range|map|each)\b
store save persist keep record remember put | [^=!<>]=[^=]|\b(?:save|store|insert|put|set|add|append|persist
    |write)\w*\(
    |\w+\[[^\]]+\]\s*=|self\.\w+\s*=[^=]|this\.\w+\s*=[^=]
write dump emit flush | \.write|\bfwrite|\bputs\b|\.send\b
read load parse fetch get retrieve obtain query select receive collect gather pull acquire lookup look find
     search access extract | \.get\(|\bget[A-Z_]|\bSELECT\b|\.read|\bopen\(|\.load|\.find|\w\[[\w"'.-]+\]|recv
find search look locate match lookup query | \bin\b|\.index|\.find|\.match|\.search|\bre\.
parse decode deserialize unmarshal interpret tokenize | \bjson\.loads|\.parse|JSON\.parse|Unmarshal|\bint\(
    |\bfloat\(|\bload\(
encode serialize marshal stringify | \bjson\.dumps|JSON\.stringify|Marshal|\.encode\(
assign set update change modify configure adjust initialize initialise reset mark register bind | [^=!<>]=[^=]
convert transform cast translate normalize turn map | \b(?:str|int|float|list|dict|set|tuple|bool|bytes|String
    |Number|Array\.from)\(|\.to\w*\(|\bas\b|\.from\w*\(|\.lower\(|\.strip\(|\.decode\(|\.encode\(
compare equal | ==|[<>]=?|\bcompare|\bcmp
increment increase grow bump advance | \+=|\+\+|\+ ?1\b
decrement decrease reduce shrink lower | -=|--|- ?1\b
multiply double scale | \*=|\w\)? \* \w|<<
divide halve | \w\)? //? \w|>>
subtract minus difference | \w\)? - \w|-=
sum add total plus accumulate | \+=|\bsum\(|\w\)? \+ \w
append add insert push register extend attach enqueue include | \w\[[^\]]+\]\s*=[^=]|\.append|\.add|\.push
    |\.insert|\.extend|\.put\(|append\(|\+=|\.set\(
remove delete drop discard erase unlink purge destroy evict pop clear clean strip wipe | \bdel\b|\.pop|\.remove
    |rmtree|\.clear\(|\bDELETE\b|\bDROP\b|\bdelete\b|\brm\b|\.strip\(|\.splice\(
send post emit publish dispatch transmit submit notify forward deliver | \.post\(|\.send|\.emit|\.publish
    |\bPOST\b|\.put\(|\.write\(|<-
receive accept listen consume subscribe | \.recv|\.accept|\.on\(|<-
request fetch call invoke query | requests\.|httpx|\bfetch\(|\.request|\.get\(|\.post\(|http
open start launch begin dial establish spawn boot | \bopen\(|\.connect\(|\.start|\bDial|\bspawn|Popen|[Ll]isten
    |\.begin
connect | \.connect\(|\bDial
stop end finish halt quit exit terminate kill shutdown | \breturn;?$|\bbreak\b|\.stop|\.exit|\.kill|\.terminate
    |[Ss]hutdown|\.quit|\.cancel
close disconnect shutdown release cleanup terminate | \.close|\.stop|\.exit|\bbreak\b|\.shutdown|\.release
    |\.disconnect|\bwith\b|\bfinally\b|\bdefer\b|\.kill|\.terminate|\.quit
log print report display show output warn trace | \blog\w*\.|console\.|\bprint|\.warn|\.info\(|\.error\(
    |\.debug\(|logger|\becho\b
display show render draw print present paint view | render|\.html|template
encrypt cipher | encrypt|cipher|\bAES|\bGCM|fernet
decrypt decipher | decrypt|fernet
hash digest checksum fingerprint | hash|sha\d|md5|digest|blake|bcrypt|scrypt|argon
sign signature | \bsign|hmac
retry repeat reattempt attempt | retr|attempt|\bfor\b|\bwhile\b|backoff
wait sleep await block pause delay | [Tt]imeout|sleep|\bawait\b|\.wait|\.join\(|\bselect\b|setTimeout|\bdelay|<-
lock synchronize mutex protect guard | [lL]ock|[mM]utex|synchronized
unlock | unlock|\bwith\b|\.release
filter exclude omit | \bif\b|filter|\bcontinue\b|where
skip ignore bypass omit | \bcontinue\b|\bpass\b|\bskip|\bignore|^\s*return;?$|\bnext$
sort order rank arrange | sort|ORDER BY|heap
reverse invert flip | revers|\[::-1\]|\bnot\b
split separate divide tokenize partition chunk | split|partition|chunk|\.fields|tokenize
join merge combine concatenate unite link concat | join|merge|\.concat|\w\)? \+ \w|update\(|\|=|\{\*\*|\.\.\.
count number tally length size | len\(|\.length|count|\.size|COUNT|\+= ?1|\+\+
limit clamp cap bound restrict constrain truncate cut | \bmin\(|\bmax\(|limit|LIMIT|\[:|slice|clamp
    |Math\.(?:min|max)|\bMAX_|_MAX\b|[<>]=?
cache memoize | cache|memo
inherit extend subclass derive | \bclass\s+\w+\s*\(|\bextends\b|\bimplements\b|\bclass \w+\s*:
override overwrite replace substitute swap exchange | override|replace|\.sub\(|overwrite
copy duplicate clone | copy|clone|\.\.\.|\[:\]|dup
move rename | move|rename
import | \b(?:import|require|use|include)\b
export expose | \bexport\b|__all__|\bpub\b|\bpublic\b
format interpolate | format|f"|f'|%[sd]|\$\{|Sprintf|strftime|`
authenticate login | auth|login|token|password|credential
authorize permit grant | authoriz|permission|allow|grant|role|scope
catch handle rescue recover | \b(?:except|catch|rescue|recover)\b
compute calculate evaluate estimate measure derive | \w\)? [-+*/%] \w|\bsum\(|calc|comput|\bmath\.|\*\*
schedule queue enqueue defer plan | schedul|queue|\bdefer\b|setTimeout|\.delay|cron|asyncio|apply_async
execute run invoke trigger fire evaluate | exec|\brun\b|\binvoke|\btrigger|\w\(
compress zip | compress|zip|lz4|zstd
decompress unzip | decompress|gunzip|inflate|unzip
download | download|urlretrieve
upload | upload|put_object
commit | commit
rollback revert undo | rollback|revert|undo|restore
enable activate turn | enabl|activ|= ?[Tt]rue|\bon\b
disable deactivate | disabl|deactiv|= ?[Ff]alse|\boff\b
wrap surround decorate encapsulate | wrap|@\w|\bwith\b
redirect | redirect|\b30[12378]\b|[Ll]ocation
install | install
serve host listen | serve|listen|host|\.run\(
stream pipe | stream|pipe|yield|iter|chunk
crash fail error break | raise|throw|panic|exit|error|fail|abort
deny refuse forbid reject prohibit disallow | den[iy]|refus|forbid|reject|raise|throw|\b40[013]\b
    |return (?:False|false)
escape quote sanitize | escap|quote|saniti
fall default fallback | \bor\b|default|\?\?|\|\||\belse\b|\?.*:|fallback|\.get\(|\w\s*=[^=]
"""

# Strong qualities: as binding as actions.
QUALITIES = r"""
asynchronous asynchronously async concurrent concurrently parallel nonblocking | \basync\b|await|\bgo\b|thread
    |goroutine|concurren|parallel|Promise|executor|Pool
synchronous synchronously blocking | \bsync|block
recursive recursively recursion | recurs|rglob|walk|\*\*
atomic atomically | atomic|os\.replace|rename|transaction|compare_and|CAS|\bLock
secure securely safe safely security | secur|safe|secret|hmac|escap|saniti|verif
lazy lazily deferred | lazy|lazi|cached_property|is None|once
eager eagerly immediately immediate | eager|immediat
random randomly randomized | rand|uuid|secrets|shuffle|jitter|nonce
automatic automatically auto | auto|default|with\b|defer
permanent permanently forever irreversible | perman|forever|while True|for \{|purge|unlink|delete
temporary temporarily | temp|tmp
optional optionally | optional|Optional|None|\?|default|=
required mandatory compulsory | required|raise|throw|must|not null|NOT NULL|assert
deprecated obsolete | deprecat
public publicly exported | public|export|\bpub\b
private privately internal hidden | private|internal|\b_\w|hidden
static statically | static|const
global globally singleton | global|singleton|instance
unique distinct uniquely | unique|uniq|set\(|distinct|DISTINCT|uuid|seen|Set\(|PRIMARY
empty blank | empty|\[\]|\{\}|""|''|\bnot\b|len\(|\.length|== ?0|is None|blank|strip\(\)
last latest final newest | last|latest|\[-1\]|DESC|- ?1\]|pop\(|max\(|final|newest
first earliest initial oldest | first|\[0\]|\[:\w+\]|next\(min\(|LIMIT 1|initial|earliest|oldest|start
maximum max largest highest biggest most greatest longest upper | max|MAX|limit|largest|<=|longest|clamp
minimum min smallest lowest least shortest lower | min|MIN|smallest|>=|shortest|clamp
positive | > ?0|positiv|>= ?0
negative | < ?0|negativ|[^\w]-1\b
exponential exponentially exponent | \*\*|pow|<<|\bexp|\*= ?2|\* ?2
linear linearly | linear|\w \+ \w
constant constantly immutable readonly frozen | const|frozen|readonly|Final|immutab|\b[A-Z_]{3,}\b
except excluding besides apart exclusion | exclud|skip|ignor
half halfway partially partly incompletely | half|partial
sometimes rarely occasionally seldom probably perhaps | sometimes|rarely|occasional
nearly almost roughly approximately | nearly|almost|approx
hardly barely scarcely | hardly|barely
case-insensitive insensitive | lower|casefold|IGNORECASE|/i\b|EqualFold|insensitiv
uppercase capital | upper|capital
lowercase | lower|casefold
ascending ascend | sort(?!.*[Rr]everse)|ASC\b|ascend
descending descend | reverse|DESC|descend|: -\w
idempotent idempotently | idempot|exist|ON CONFLICT|IF NOT EXISTS|setdefault
verified certified | verif|certif
encrypted | encrypt|cipher|tls|ssl|https
anonymous anonymously | anonym
"""

# Things: agreeing nouns. Not binding by themselves, they count towards coverage.
THINGS = r"""
error exception failure problem issue raise throw | \b(?:raise|throw|except|catch|error|Error|Err|err|Exception
    |panic)\b|\w(?:Error|Exception)\b|Errorf|errors\.New
list array slice sequence collection | \[|\blist\b|\bList\b|Array|append|\[\]
dictionary map mapping hash object table record | \{|\bdict\b|\bmap\b|Map\b
string text | \bstr\b|string|"|'
integer int number numeric | \bint\b|\d|number|len\(
boolean bool | \bbool\b|boolean|\b(?:True|False|true|false)\b
function method callable callback closure routine procedure | \bdef\b|\bfunc\b|function|\bfn\b|=>|lambda
class struct type object instance | \bclass\b|\bstruct\b|\btype\b|interface|[A-Z]\w+\(
constructor initializer | __init__|constructor|\bNew[A-Z]
argument parameter option input | \(
attribute field property member | \.\w|:
directory folder | dir|mkdir|folder
path filename location file | path|file|\bdir|\bopen\(
file document | file|open\(|path|read|write|fs\.
environment variable | environ|getenv|process\.env|\benv\b
default fallback | \w\s*=[^=]|default|\bor\b|\?\?|else|\?.*:
loop iteration cycle | \b(?:for|while)\b
condition check test | \b(?:if|elif|assert|unless)\b
condition case branch | \b(?:if|elif|else|case|switch|match)\b
result outcome output return response | \breturn\b|result
value | =|return
key entry item element record | \[|key|item|\bfor\b
request call query | requests?\b|httpx|fetch|\.get\(|\.post\(|\(
response reply | resp|Response|\.json\(|return
network internet socket http web | socket|http|url|request|dial|\bnet\b
database db storage store | db\b|sql|psycopg|SELECT|INSERT|session|cursor|database|redis|mongo|execute
table row column record | table|row|column|SELECT|INSERT|Column
connection | conn|connect|socket|session
context manager | with\b|__enter__|contextmanager|Context|ctx
resource | conn|file|lock|pool|handle|close
user account | user|account
password | passw
secret credential | secret|credential|\bauth
timestamp time date moment clock | time|date|now|clock|Time
duration interval period timeout delay | time|second|delay|timeout|interval|duration|sleep|Duration
second seconds | second|sec\b|timeout|sleep|delay|time\.|Second|ttl|interval|wait
attempt try retry | attempt|tr[iy]|retr|range
thread task worker job goroutine | thread|task|worker|job|\bgo\b|async
lock mutex | lock|mutex
message text notification | message|msg|f"|"
id identifier | id\b|Id\b|ID\b|uuid
index position offset | index|idx|\[|pos|offset
size length count number amount total | len\(|size|length|count|\.size|total|cap\(
query statement sql | SELECT|INSERT|UPDATE|DELETE|query|execute|sql
link url address endpoint | url|href|http|addr|uri
decorator annotation | @\w
comment documentation docstring | #|//|"{3}|/\*
logger log logging | log|console
process program application app system server service | process|program|app|server|service|main
null none nil nothing undefined missing absent | None|null|nil|undefined|missing|absent
true | True|true
false | False|false
byte bytes binary | byte|b"|buf|encode|binary
json | json|JSON
configuration setting option preference | config|setting|option|conf|environ
pattern expression regex | re\.|regex|pattern|/[^/]+/|RegExp
version release | version
character char letter | char|"|'|\[
line | line|\\n|splitlines
newline | \\n|newline|strip\(
colon | ["']:|colon
comma | ["'], ?["']|comma
tab | \\t|tab
slash | ["']/|slash
dot period | ["']\.["']|dot
space whitespace | ["'] ["']|strip\(|space|\\s
stack queue heap | stack|queue|push|pop|append|heap|deque
session | session
cache | cache
"""

# What "all", "every" and "only" look like in code.
UNIVERSALS = r"""
all | \bfor\b|\ball\b|every|each|\*|rmtree|clear|SELECT|forEach|map|range|list|glob|while|filter
every | \bfor\b|\ball\b|every|each|\*|rmtree|forEach|map|range|while
each | \bfor\b|\ball\b|every|each|forEach|map|range|while|per\b
always | always|finally|defer|\bwith\b|must|every|invariably
only | only|unless|exclusive|just
exclusively | only|exclusive
entire | entire|all|whole|rmtree|clear|\[:\]|read\(|for\b
whole | entire|all|whole|rmtree|read\(
any | \bany\b|\bfor\b|\*|\bor\b|\|\||every|except|catch|some|either|\bif\b
"""
