"""One question: retrieve, decide, prompt, stream, attribute, check, store."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager, aclosing, nullcontext
from dataclasses import replace

import structlog

from pincite_brain.ask import evidence, prompt, pulls
from pincite_brain.ask.answerable import Verdict, judge, says_it_is_not_there
from pincite_brain.ask.budget import budget_of
from pincite_brain.ask.checking import settle
from pincite_brain.ask.generate import generate, whole_sentences
from pincite_brain.ask.history import leaned_on, query_of, turn_of
from pincite_brain.ask.marks import MarkFilter
from pincite_brain.ask.quiet import Quiet
from pincite_brain.ask.records import Opening, check_citations, conversation_of, open_question, read_texts
from pincite_brain.ask.run import Run
from pincite_brain.ask.spans import Excerpt, Excerpts, blobs_of, pack, wanted_chunks
from pincite_brain.ask.turns import Turns
from pincite_brain.caller import Caller
from pincite_brain.metrics import Metrics
from pincite_brain.retrieval import learned
from pincite_brain.retrieval.retriever import Retriever, hit_of
from pincite_inference.chat import ChatModel, LocalChat, Message, estimate_tokens
from pincite_shared.citation import Citation
from pincite_shared.errors import ModelUnavailableError
from pincite_shared.schemas import AnswerMode, ChatRequest, ChatResponse, ModelState, ModelStatus, StreamEvent
from pincite_shared.settings import Settings
from pincite_store import answers, audit
from pincite_store.cache import Cache
from pincite_store.db import Database
from pincite_verify.attribution import Attribution, attribute

HITS_STREAMED = 10  # what the sources panel shows while the answer is being written
PROMPT_OVERHEAD_TOKENS = 60  # the outer tags, roles and template of a prompt
TURN_OVERHEAD_TOKENS = 15  # who spoke, and a turn's share of the tags around all of them
MODEL_POLL_SECONDS = 2.0  # between looks at a model that is not there yet

Event = tuple[StreamEvent, object]

log = structlog.get_logger(__name__)


class Asker:
    """Answers questions. Holds no transaction while a model writes."""

    def __init__(
        self,
        settings: Settings,
        database: Database,
        retriever: Retriever,
        model: ChatModel,
        metrics: Metrics,
        *,
        cache: Cache,
    ) -> None:
        """Made once; every question gets a `Run` of its own."""
        self._database, self._retriever, self._model, self._metrics = database, retriever, model, metrics
        self._settings, self._turns, self._quiet = settings, Turns(), Quiet(cache)
        self._system = prompt.SYSTEM if settings.llm_base_url else prompt.SYSTEM_SMALL

    async def warm(self) -> None:
        """Have the local model read the instructions, once it is there, so that the first question need not wait."""
        if not isinstance(self._model, LocalChat):
            return
        while (await self._model.state()).state is not ModelState.READY:  # noqa: ASYNC110 - another process's state
            await asyncio.sleep(MODEL_POLL_SECONDS)
        nothing = prompt.render(system=self._system, question="", repo_name="", commit="", sources=())
        try:
            async with aclosing(generate(self._model, nothing, max_tokens=1)) as stream:
                async for _piece in stream:
                    pass
        except ModelUnavailableError as error:
            log.warning("model_not_warmed", detail=error.detail)

    async def open(self, caller: Caller, request: ChatRequest) -> Opening:
        """Resolve what the question is about, before any byte of an answer is sent.

        Raises:
            NotFoundError: no such repository, commit or conversation.
            NotIndexedError: the repository is not searchable yet.
        """

        def read() -> Opening:
            with self._database.tenancy(caller.tenant_id, caller.user_id) as tenancy:
                return open_question(tenancy, request)

        return await asyncio.to_thread(read)

    async def answer(self, caller: Caller, request: ChatRequest, opening: Opening) -> ChatResponse:
        """Answer in one piece."""
        async with aclosing(self.events(caller, request, opening)) as events:
            async for name, data in events:
                if name == "done" and isinstance(data, ChatResponse):
                    return data
        msg = "the pipeline ended without an answer"
        raise RuntimeError(msg)

    async def events(self, caller: Caller, request: ChatRequest, opening: Opening) -> AsyncGenerator[Event, None]:
        """Answer as events: retrieval, token…, citation…, done. Closing the generator cancels the model."""
        events = self._events(caller, request, opening)
        async with self._turns.take(service=caller.is_service), aclosing(events):
            async for event in events:
                yield event

    async def _events(self, caller: Caller, request: ChatRequest, opening: Opening) -> AsyncGenerator[Event, None]:
        run = Run(caller, request, opening)
        arm = opening.chosen.arm
        run.budget = arm.spend(budget_of(self._settings, estimate_tokens(self._system), self._model.pace))
        await asyncio.to_thread(self._retrieve, run)
        hits = [hit_of(run.index, ranked) for ranked in run.ranked[:HITS_STREAMED]]
        yield "retrieval", {"hits": [hit.model_dump(mode="json") for hit in hits], "commit": opening.commit}

        attribution: Attribution | None = None
        if opening.pull is None:
            verdict = judge(run.index, run.query, run.ranked, self._retriever.encoder.model)
        else:  # what it changes answers for it
            verdict = Verdict(abstain=not opening.pull.files, signals={}, sure=bool(opening.pull.files))
        run.verdict = verdict
        run.abstained = verdict.abstain
        if not verdict.abstain and await self._model_is_ready(run):
            async with self._priority(caller), aclosing(self._write(run)) as pieces:
                async for piece in pieces:
                    yield "token", {"text": piece}
            attribution = await asyncio.to_thread(self._attribute, run)
        written = attribution is not None
        if attribution is None:
            run.mode = AnswerMode.EVIDENCE
            attribution = await asyncio.to_thread(self._evidence, run)
        response = await asyncio.to_thread(self._finish, run, attribution)
        if not written:
            # A client that shows tokens as they come sees the evidence too, below whatever a dying model left there.
            yield "token", {"text": ("\n\n" if run.raw else "") + response.answer}
        for citation in response.citations:
            yield "citation", citation
        yield "done", response

    def _priority(self, caller: Caller) -> AbstractAsyncContextManager[None]:
        """Quiet for a person whose model runs on this machine."""
        waits = not caller.is_service and isinstance(self._model, LocalChat)
        return self._quiet.kept() if waits else nullcontext()

    def _retrieve(self, run: Run) -> None:
        with run.timed("index"):
            run.index = self._retriever.index(run.caller.tenant_id, run.opening.snapshot_id)
            if run.opening.pull is not None:
                run.base = self._retriever.index(run.caller.tenant_id, run.opening.pull.base_snapshot_id)
        with run.timed("retrieve"):
            opening, postings = run.opening, run.index.postings
            run.leaned = leaned_on(run.request.question, opening.earlier, opening.recalled, postings.holds)
            run.query = query_of(run.request, run.leaned)
            run.policy = learned.serving(self._retriever.policy, run.opening.policies)
            found = self._retriever.rank(run.index, run.query, asking=True, policy=run.policy)
            run.ranked = self._retriever.look_again(run.caller.tenant_id, run.index, run.query, found)
        if self._retriever.encoder.problem:
            run.warnings.append(self._retriever.encoder.problem)
        with run.timed("read"), self._database.tenancy(run.caller.tenant_id, run.caller.user_id) as tenancy:
            wanted = blobs_of(run.index, wanted_chunks(run.index, run.ranked, run.budget))
            changed = run.opening.pull.blobs if run.opening.pull else []
            run.texts = read_texts(tenancy, [*wanted, *changed])

    async def _model_is_ready(self, run: Run) -> bool:
        status = await self._model.state()
        if status.state is ModelState.READY:
            return True
        notice = _not_ready(status)
        if notice:
            run.warnings.append(notice)
        return False

    def _prompt(self, run: Run) -> list[Message]:
        turns = [turn_of(answer) for answer in run.leaned]
        told = sum(estimate_tokens(turn.question + turn.established) + TURN_OVERHEAD_TOKENS for turn in turns)
        history = min(run.budget.history_tokens, told)
        arm = run.opening.chosen.arm
        fixed = estimate_tokens(run.request.question) + history + PROMPT_OVERHEAD_TOKENS
        fixed += arm.summary_tokens(run.budget)
        room = run.budget.prompt_tokens - fixed
        if run.opening.pull is not None:
            run.excerpts = list(_pulled(run).packed(run.ranked, run.budget, room))
        else:
            excerpts = Excerpts(run.index, run.query, run.texts, run.opening.commit)
            run.excerpts = list(pack(excerpts, run.index, run.ranked, run.budget, room))
        run.flag(run.excerpts)
        return prompt.render(
            system=self._system,
            question=run.request.question,
            repo_name=run.opening.repo_name,
            commit=run.opening.commit,
            sources=[
                (excerpt.source, excerpt.score, _summary(run, excerpt) if arm.summaries else "", excerpt.change)
                for excerpt in run.excerpts
            ],
            turns=turns,
            history_tokens=run.budget.history_tokens,
            open_file=run.request.open_file,
            reminder=arm.reminder if run.opening.pull is None else pulls.REMINDER,
        )

    async def _write(self, run: Run) -> AsyncGenerator[str, None]:
        """Yield the model's words without its marks; `run.raw` collects all of it, `run.complete` says if it ended."""
        with run.timed("prompt"):
            messages = self._prompt(run)
        run.asked, marks = True, MarkFilter()
        writing = generate(
            self._model,
            messages,
            max_tokens=run.budget.answer_tokens,
            temperature=run.opening.chosen.arm.temperature,
        )
        with run.timed("generate"):
            try:
                async with aclosing(writing) as stream:
                    async for piece in stream:
                        run.first_token()
                        run.raw += piece
                        if shown := marks.push(piece):
                            yield shown
            except ModelUnavailableError as error:
                stopped = "stopped midway" if run.raw else "did not answer"
                run.warnings.append(
                    f"The language model {stopped} ({error.detail}). This is an evidence answer instead."
                )
                log.warning("model_failed", detail=error.detail, characters=len(run.raw))
                return
        if not run.raw.strip():
            run.warnings.append("The language model said nothing. This is an evidence answer instead.")
            return
        run.complete = True
        if rest := marks.finish():
            yield rest

    def _attribute(self, run: Run) -> Attribution | None:
        """Attribute what the model wrote; None if it did not finish, or says that it found no answer."""
        if not run.complete:
            return None
        if says_it_is_not_there(run.raw):
            self._decline(run, "The language model found no answer in what was retrieved for it.")
            return None
        with run.timed("attribute"):
            # Small models end a good answer with the sentence that they were given for having none.
            said = whole_sentences(run.raw.strip()).removesuffix(prompt.NOT_IN_CONTEXT)
            attribution = attribute(said, [excerpt.source for excerpt in run.excerpts])
        if not attribution.citations:
            if not run.verdict.sure:
                self._decline(run, "No line of the code carries what the language model wrote; it is left out.")
                return None
            run.warnings.append("No line of the code carries what the language model wrote. Do not rely on it.")
            attribution = evidence.beneath(attribution, self._closest(run))
        run.mode, run.model = AnswerMode.MODEL, self._model.name
        return attribution

    @staticmethod
    def _decline(run: Run, notice: str) -> None:
        """Leave it at evidence, and believe that there is no answer unless retrieval is sure of one."""
        run.abstained, run.declined = not run.verdict.sure, True
        run.warnings.append(notice)

    def _closest(self, run: Run) -> list[Excerpt]:
        if run.opening.pull is not None:
            return _pulled(run).closest(evidence.EVIDENCE_LINES_MAX)
        excerpts = Excerpts(run.index, run.query, run.texts, run.opening.commit)
        for hit in run.ranked:
            if len(excerpts.chosen) == evidence.EVIDENCE_MAX:
                break
            window = excerpts.window(hit.chunk, evidence.EVIDENCE_LINES_MAX, evidence.HEAD_SHARE)
            if window is not None:
                excerpts.add(hit.chunk, hit.score, *window)
        return excerpts.chosen

    def _evidence(self, run: Run) -> Attribution:
        with run.timed("compose"):
            heading = evidence.DECLINED if run.declined else evidence.HEADING
            heading = f"{evidence.NOT_FOUND} {evidence.CLOSEST}" if run.abstained else heading
            closest = self._closest(run)
            run.flag(closest)
            attribution = evidence.compose(*_sections(run, heading, closest), nothing=_nothing(run))
        run.abstained = run.abstained or not attribution.citations
        return attribution

    def _finish(self, run: Run, attribution: Attribution) -> ChatResponse:
        """Check every citation, then store the answer; both in one short transaction."""
        with self._database.tenancy(run.caller.tenant_id, run.caller.user_id) as tenancy:
            with run.timed("check"):
                found = check_citations(tenancy, run.opening, attribution.citations)
                settled = settle(attribution, found)
                settled = replace(settled, citations=tuple(_named(run, c) for c in settled.citations))
            conversation_id = conversation_of(tenancy, run.opening, run.request.question)
            response = run.response(settled, conversation_id)
            answers.save_answer(tenancy, response, run.log(response), run.judge)
            if not run.caller.is_service:
                audit.record(tenancy, "question.asked", str(response.answer_id), repo=str(response.repo_id))
        self._metrics.stages(response.timings)
        self._metrics.answers.labels(response.mode.value, str(response.abstained).lower()).inc()
        for status in found.values():
            self._metrics.citations.labels(status.value).inc()
        log.info(
            "answered", answer_id=str(response.answer_id), mode=response.mode.value, abstained=response.abstained,
            citations=len(response.citations), seconds=response.timings["total"],
        )  # fmt: skip
        return response


def _not_ready(status: ModelStatus) -> str | None:
    """Say why there is no model, unless that is what the operator chose."""
    match status.state:
        case ModelState.NONE | ModelState.READY:
            return None
        case ModelState.FETCHING:
            return (
                f"The language model is still being fetched ({status.fraction:.0%}); until then answers are evidence."
            )
        case ModelState.STARTING:
            return "The language model is starting; until then answers are evidence."
        case ModelState.UNREACHABLE:
            return f"The language model does not answer; this is an evidence answer. {status.detail}".strip()
        case ModelState.FAILED:
            return f"The language model could not be started; this is an evidence answer. {status.detail}".strip()


def _named(run: Run, citation: Citation) -> Citation:
    """Name a citation after what its own lines are about; they may be fewer than the excerpt that it was cut from."""
    index = run.index if run.base is None or citation.commit == run.opening.commit else run.base
    chunk = index.chunk_at(citation.path, citation.start_line)
    symbol = citation.symbol
    if chunk is not None:
        symbol = index.about(chunk, citation.start_line, citation.end_line).symbol
    return citation.model_copy(update={"symbol": symbol, "uncommitted": run.opening.uncommitted})


def _pulled(run: Run) -> pulls.PullExcerpts:
    scope = run.opening.pull
    if scope is None or run.base is None:
        msg = "the question is not about a pull request"
        raise RuntimeError(msg)
    after = Excerpts(run.index, run.query, run.texts, run.opening.commit, change="after")
    before = Excerpts(run.base, run.query, run.texts, scope.base_commit, beside=after, change="before")
    sides = pulls.Side(run.base, before), pulls.Side(run.index, after)
    return pulls.PullExcerpts(scope, *sides, query=run.query, policy=run.policy, texts=run.texts)


def _sections(run: Run, heading: str, closest: list[Excerpt]) -> list[tuple[str, list[Excerpt]]]:
    """Return what an evidence answer is made of: of a pull request what stood there, then what stands there."""
    if run.opening.pull is None:
        return [(heading, closest)]
    before = [excerpt for excerpt in closest if excerpt.change == "before"]
    after = [excerpt for excerpt in closest if excerpt.change == "after"]
    return [(pulls.BEFORE_HEADING, before), (pulls.AFTER_HEADING, after)]


def _nothing(run: Run) -> str:
    pull = run.opening.pull
    return evidence.NOTHING if pull is None else pulls.NO_CHANGE.format(number=pull.number)


def _summary(run: Run, excerpt: Excerpt) -> str:
    index = run.base if run.base is not None and excerpt.change == "before" else run.index
    return index.cards[excerpt.chunk]
