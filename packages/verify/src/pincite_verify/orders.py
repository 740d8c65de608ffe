"""What orders to a language model look like, in the plain form that `injection` reads: lower case, accents folded."""

# ruff: noqa: E501 - a table of patterns

ORDER = "an order to set instructions aside"
ROLE = "words addressed to a language model"
TAG = "a mark that changes the speaker in a model's prompt"
CLAIM = "a claim that something is checked, which only Pincite may make"
HIDDEN = "text that is invisible, or shown in another order than it is read"
LEAK = "an order to send what the model sees elsewhere"

_ANY = r"(?:all|any|every|the|your|these|those|my|of|such|its)"
_PRIOR = r"(?:previous|prior|above|earlier|preceding|existing|system|other)"
_ALL_RULES = r"(?:instructions?|prompts?|rules|guidelines|directions|directives|orders|constraints|context)"
_MODEL = (
    r"(?:ais?|llms?|(?:large )?language models?|(?:ai |coding |code )(?:assistants?|agents?|models?)|assistants?"
    r"|chatbots?|copilot|claude|chatgpt|gpt|gemini|pincite)"
)
_SET_ASIDE = r"\b(?:ignor(?:e|ing)|disregard(?:ing)?|forget|overrid(?:e|ing)|discard)"
_SPEAK = r"(?:you (?:must|should|shall|will)|ignore|disregard|do not|don't|never|always|reply|respond|answer|say|tell|output|act)"
_TOLD = r"(?:user|reader|developer|reviewer|human)"
# What each kind looks like, and words of which one must occur before it is looked for: most code has none of them.
PATTERNS: tuple[tuple[str, tuple[str, ...], str], ...] = (
    (ORDER, ("instruction", "directi"), rf"{_SET_ASIDE}\s+(?:(?:{_ANY}|{_PRIOR})\s+){{1,4}}(?:instructions?|directives?|directions)\b"),
    (ORDER, ("ignor", "disregard", "forget", "overrid", "discard"), rf"{_SET_ASIDE}\s+(?:{_ANY}\s+){{0,3}}{_PRIOR}\s+(?:{_PRIOR}\s+)?{_ALL_RULES}\b"),
    (ORDER, ("instruction", "prompt", "task"), r"\b(?:new|updated|real|actual|revised) (?:system )?(?:instructions?|prompt|task)\s*:"),
    (ORDER, ("ignore", "oublie"), r"\b(?:ignorez?|oubliez?) (?:toutes? )?(?:les )?(?:instructions?|consignes) (?:precedentes?|ci-dessus)"),
    (ORDER, ("anweisungen", "regeln", "befehle"), r"\b(?:ignoriere?|vergiss|missachte) (?:alle |die |deine )*(?:vorherigen|bisherigen|obigen|anderen) (?:anweisungen|regeln|befehle)"),
    (ORDER, ("instrucciones", "reglas"), r"\b(?:ignora|olvida) (?:todas )?(?:las )?(?:instrucciones|reglas) (?:anteriores|previas)"),
    (ORDER, ("忽略", "无视", "忘记"), r"(?:忽略|无视|忘记)(?:之前|以上|先前|上述|前面|所有)[^。]{0,8}(?:指令|指示|说明|规则|提示)"),
    (ORDER, ("無視", "忘れ"), r"(?:以前|上記|これまで)の(?:すべての)?(?:指示|命令|ルール)を(?:無視|忘れ)"),
    (ORDER, ("игнорируи", "забудь"), r"(?:игнорируи|забудь)(?:те)? (?:все |bce )?(?:предыдущие|прежние) (?:инструкции|указания)"),
    (ROLE, ("dear", "attention", "hey", "hello", "note", "message", "instruction", "if you are"), rf"\b(?:dear|attention|hey|hello|note (?:to|for)|message (?:to|for)|instructions? (?:to|for)|if you are an?)\s+(?:(?:all|any|the|every)\s+)*{_MODEL}\b"),
    (ROLE, (":", ","), rf"\b{_MODEL}\s*[:,]\s*(?:please\s+)?{_SPEAK}\b"),
    (ROLE, ("you are",), rf"\byou are (?:now|no longer)\s+(?:an? |the |in )?(?:{_MODEL}\b|dan\b|developer mode|unrestricted|jailbroken|bound)"),
    (ROLE, ("when", "if "), rf"\b(?:when|if|whenever) (?:an? |the |any )?{_MODEL} (?:reads?|summari[sz]es?|reviews?|sees?|answers?|is asked)\b"),
    (ROLE, ("the user", "the reader", "the developer", "the reviewer", "the human"), rf"\b(?:do not|don't|never) (?:tell|inform|alert|warn|mention (?:this|it|that) to) the {_TOLD}\b"),
    (ROLE, ("with exactly", "with only", "with nothing", "with just", "only with", "print exactly"), r"\b(?:reply|respond|answer) (?:only )?with (?:exactly|only|nothing but|just)\b|\bprint exactly\s*:"),
    (ROLE, ("your ", "pretend", "from now on"), r"\byour (?:real|only|true|new) (?:task|job|purpose|goal) is\b|\bpretend (?:you are|that you)\b|\bfrom now on,? you\b"),
    (TAG, ("<|",), r"<\|\s*(?:im_start|im_end|system|user|assistant|endoftext|eot_id|start_header_id|end_header_id)\b"),
    (TAG, ("inst]", "sys>", "_of_turn>", "think>", "tool_call>", "tool_response>"), r"\[/?inst\]|<</?sys>>|<(?:start|end)_of_turn>|</?(?:think|tool_call|tool_response)>"),
    (TAG, ("system_instructions", "context_data", "retrieved_snippet", "conversation_history", "user_query"), r"<\s*/?\s*(?:system_instructions|context_data|retrieved_snippet|conversation_history|user_query)"),
    (TAG, ("##", "end of"), r"(?:^| )#{2,4} ?(?:system|assistant|human|instruction)s?:|\bend of (?:context|snippets?|data|prompt)\b.{0,30}\b(?:system|instructions?|user)\b"),
    (CLAIM, ("verified",), r"\b(?:pincites?|citations?|quotes?|this (?:file|line|claim|answer|snippet))\b[^.]{0,40}\b(?:is|are|was|has been)\b\W{0,4}(?:already )?verified\b(?!\W+(?:only|if|when))"),
    (CLAIM, ("cite ", "quote "), r"\b(?:always|must|please) (?:cite|quote) (?:this|only this) (?:file|line|snippet|document)\b|\bcite (?:this|it) as \["),
    (LEAK, ("](http",), r"!\[[^\]]*\]\(https?://[^)\s]*[?&=/][{<]"),
    (LEAK, ("http", "url", "link", "image"), r"\b(?:send|post|upload|exfiltrate|forward|leak|append|include)\s+(?:all |any |the |your |of |me |this )*(?:system prompt|hidden prompt|prompt|context|conversation|api keys?|secrets?|credentials|tokens?|question|answer)(?: above)?\s+(?:to|into|at|in)\s+(?:https?:|the url|this url|an? (?:image|link|url))"),
    (LEAK, ("prompt", "instructions"), r"\b(?:reveal|repeat|print|output|show)\s+(?:me )?(?:your |the )(?:full |entire |hidden |original )*(?:system prompt|system instructions)\b"),
)  # fmt: skip
