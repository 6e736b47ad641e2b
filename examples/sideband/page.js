// The caller's client: audio by WebRTC, and what the provider says about it. It sends no response.create: that is
// turnspec's alone, and what its proof assumes (docs/sideband.md, "The other client").

const $ = (id) => document.getElementById(id);
const show = (id, text) => { $(id).textContent = text; };
let call = null;

$("call").onclick = () => begin().catch((error) => { show("call-id", `failed: ${error.message}`); end(); });
$("hang-up").onclick = end;
if (new URLSearchParams(location.search).has("call")) $("call").click();

async function begin() {
  $("call").disabled = true;
  $("hang-up").disabled = false;
  const mine = (call = { peer: new RTCPeerConnection(), microphone: null, watching: 0 });
  const { peer } = mine;
  peer.ontrack = (event) => { $("agent").srcObject = event.streams[0]; };
  peer.onconnectionstatechange = () => {
    show("audio", peer.connectionState);
    if (["failed", "closed"].includes(peer.connectionState)) end();
  };
  const microphone = await navigator.mediaDevices.getUserMedia({ audio: true });
  if (call !== mine) return stop(microphone); // hung up in the meantime
  mine.microphone = microphone;
  show("microphone", "on");
  for (const track of microphone.getTracks()) peer.addTrack(track, microphone);
  peer.createDataChannel("oai-events").onmessage = (event) => hear(JSON.parse(event.data));

  await peer.setLocalDescription(await peer.createOffer());
  const answer = await fetch("/session", { method: "POST", body: peer.localDescription.sdp });
  if (call !== mine) return;
  if (!answer.ok) throw new Error(await answer.text());
  const id = answer.headers.get("x-call-id");
  show("call-id", id);
  await peer.setRemoteDescription({ type: "answer", sdp: await answer.text() });
  if (call === mine) mine.watching = setInterval(() => watch(id), 500);
}

async function watch(id) {
  const answer = await fetch(`/calls/${encodeURIComponent(id)}`);
  if (!call) return;
  show("state", (await answer.json()).state);
  if (answer.status === 404 || answer.status === 410) end();
}

function hear(event) {
  if (event.type === "conversation.item.input_audio_transcription.completed") say("caller", event.transcript);
  if (event.type === "response.output_audio_transcript.done") say("agent", event.transcript);
}

function say(who, text) {
  const line = document.createElement("li");
  line.className = who;
  line.textContent = `${who}: ${text}`;
  $("said").append(line);
}

// The provider ends the session when its client with the audio is gone, and turnspec its call.
function end() {
  if (!call) return;
  const { peer, microphone, watching } = call;
  call = null;
  clearInterval(watching);
  if (microphone) stop(microphone);
  peer.close();
  show("microphone", "off");
  show("state", "not there");
  show("audio", "closed");
  $("call").disabled = false;
  $("hang-up").disabled = true;
}

function stop(microphone) {
  for (const track of microphone.getTracks()) track.stop();
}
