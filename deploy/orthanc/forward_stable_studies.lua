-- Sends each stable CT study to a cementct node; the node sends its results back by itself.
-- Put it into "LuaScripts" of Orthanc's settings, and the node into "DicomModalities":
--   "LuaScripts": ["/etc/orthanc/forward_stable_studies.lua"],
--   "DicomModalities": {"cementct": ["CEMENTCT", "10.1.2.5", 11112]},
--   "StableAge": 60

local RESULTS = "cementct"

function OnStableStudy(studyId, tags, metadata)
   -- What came back from the node makes the study stable once more: only scanners' series are sent.
   local study = ParseJson(RestApiGet("/studies/" .. studyId))
   local series = {}
   for _, seriesId in ipairs(study["Series"]) do
      local main = ParseJson(RestApiGet("/series/" .. seriesId))["MainDicomTags"]
      if main["Modality"] == "CT" and string.sub(main["SeriesDescription"] or "", 1, #RESULTS) ~= RESULTS then
         table.insert(series, seriesId)
      end
   end
   -- Metadata from 1024 on are the user's: remember what was sent, so that results do not start it again.
   table.sort(series)
   local key = table.concat(series, ",")
   local known = ParseJson(RestApiGet("/studies/" .. studyId .. "/metadata?expand"))
   if #series > 0 and known["1024"] ~= key then
      RestApiPut("/studies/" .. studyId .. "/metadata/1024", key, false)
      RestApiPost("/modalities/cementct/store", DumpJson({Resources = series, Asynchronous = true}), false)
   end
end
