(function () {
  var audio = document.querySelector("audio");
  function play(seconds) {
    audio.currentTime = Math.max(seconds, 0);
    audio.play();
  }
  document.addEventListener("click", function (event) {
    var at = event.target.closest("[data-at]");
    var drawn = event.target.closest("svg[data-from]");
    if (at) { play(parseFloat(at.dataset.at)); }
    if (drawn) {
      var box = drawn.getBoundingClientRect();
      var share = (event.clientX - box.left) / box.width;
      var left = parseFloat(drawn.dataset.left);
      var right = parseFloat(drawn.dataset.right);
      var from = parseFloat(drawn.dataset.from);
      var to = parseFloat(drawn.dataset.to);
      play(from + (to - from) * Math.min(Math.max((share - left) / (right - left), 0), 1));
    }
  });
})();
